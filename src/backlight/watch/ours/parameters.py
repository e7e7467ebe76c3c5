"""The parameters in one recorded step: their numbers before it, the gradients, and how far they moved."""

from collections.abc import Sequence

import numpy as np

from backlight.autograd import Parameter
from backlight.core import Array
from backlight.watch import Block, measure
from backlight.watch.parameters import ParameterNumbers
from backlight.watch.records import ParameterFacts


class Parameters:
    """A model's parameters under watch.

    Args:
        facts: what is known of them.
        tensors: the parameters, in the same order.
    """

    def __init__(self, facts: Sequence[ParameterFacts], tensors: Sequence[Parameter]) -> None:
        self.facts = list(facts)
        self.tensors = list(tensors)
        self.names = [one.name for one in facts]
        count = len(self.tensors)
        self._template = Block(3 * count)  # first the parameters, then their gradients, then how far they moved
        for at, (fact, one) in enumerate(zip(self.facts, self.tensors, strict=True)):
            for part in range(3):
                histogram = part == 1 and fact.weight_matrix
                self._template.want(part * count + at, one.array.size, histogram=histogram)
        self._matrices = [at for at, fact in enumerate(self.facts) if fact.weight_matrix and fact.shape[-1] > 1]
        self.clear()

    def clear(self) -> None:
        """Forget the step before."""
        self._block = self._template.fresh()
        self._before: list[Array] = []
        self._graded: set[int] = set()
        self._identical: dict[int, bool] = {}
        self._updated = False

    @property
    def remembered(self) -> bool:
        """Whether the parameters were measured in this step."""
        return bool(self._before) or not self.tensors

    def remember(self) -> None:
        """Measure the parameters as they are before the step, and keep a copy to tell how far they move."""
        if self._before:
            self.clear()
        self._before = [one.array.copy() for one in self.tensors]
        measure(self._block, self._before)
        for at in self._matrices:
            weight = self.tensors[at].array
            first, second = weight[..., 0], weight[..., 1]
            self._identical[at] = bool((first == second).all()) and bool((weight == weight[..., :1]).all())

    def read_gradients(self) -> None:
        """Measure the gradients that have not been read yet, as they are."""
        count = len(self.tensors)
        for at, one in enumerate(self.tensors):
            if at not in self._graded and one._grad is not None:
                self._graded.add(at)
                measure(self._block, [one._grad], start=count + at)

    def read_update(self) -> None:
        """Measure how far the parameters are from where they were remembered."""
        measure(self._block, [one.array for one in self.tensors], start=2 * len(self.tensors), less=self._before)
        self._updated = True

    def left_over(self, held: set[int] | None) -> float:
        """Return the norm of the gradients that the parameters have now; 0 if any of these has none.

        Args:
            held: ids of those that the optimiser has, since it is the optimiser who zeroes; None for all.
        """
        meant = [one for one in self.tensors if one.requires_grad and (held is None or id(one) in held)]
        squares = [0.0 if one._grad is None else float(np.sum(np.square(one._grad, dtype=np.float64))) for one in meant]
        return float(np.sqrt(sum(squares))) if all(squares) else 0.0

    def sealed(self) -> ParameterNumbers:
        """Return what was measured in this step."""
        return ParameterNumbers(
            self.names, self._block, self._graded, self._identical, remembered=bool(self._before), updated=self._updated
        )
