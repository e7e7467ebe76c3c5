"""Parameters that a loss depends on and that are none of the network's, as the weights of a margin in the loss."""

from collections.abc import Iterable
from typing import Any, Final
from weakref import ref

import numpy as np

from backlight.watch.adapter import Adapter

MOST_NUMBERS: Final = 256
"""So many numbers of each are compared, evenly spaced."""

AFTER: Final = 20
"""Steps of the training after which a parameter that has not changed is told."""


class Others:
    """Parameters beside the network's, and what they were at first.

    Args:
        adapter: the network and its framework.
        leaves: what a loss depends on.
        step: how many steps had been taken.
    """

    def __init__(self, adapter: Adapter, leaves: Iterable[Any], step: int) -> None:
        self._adapter = adapter
        self._step = step
        own = {id(one) for one in adapter.named_parameters().values()}
        others = [
            one for one in leaves
            if id(one) not in own and adapter.is_parameter(one) and adapter.why_not_measured(one) is None
        ]  # fmt: skip
        self._first = [(ref(one), self._some(one)) for one in others]

    def unstepped(self, step: int) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of those that have a gradient and are as they were at first; few steps show nothing."""
        if step < self._step + AFTER:
            return ()
        alive = [(one, then) for known, then in self._first if (one := known()) is not None]
        gradients = self._adapter.gradients([one for one, _ in alive])
        return tuple(
            tuple(one.shape)
            for (one, then), gradient in zip(alive, gradients, strict=True)
            if gradient is not None and np.array_equal(self._some(one), then)
        )

    def _some(self, parameter: Any) -> Any:
        return self._adapter.rows(parameter, -1, MOST_NUMBERS)
