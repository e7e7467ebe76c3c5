"""A computation recorded once and run again on new inputs: the same ops in the same order on plain arrays.

A small network spends a good part of a step on making tensors and finding the way back through them, and finds the
same graph every time. A replay keeps the ops and who feeds whom, and runs just those: the numbers are the same bit for
bit, because the arithmetic is the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.autograd.tensor_base import TensorBase
from backlight.core import Array, GraphError


class Replay:
    """The graph behind one number, to be run forward and backward with other arrays in place of some inputs.

    Args:
        end: the number, as computed from `inputs`.
        inputs: what will differ from run to run. Each must have been given to an op just as it is, as ids or targets
            are: what was computed from it outside the graph would be a constant here. None stands for nothing.

    What an op changes besides its result (running statistics, a generator's state) it changes at each run as well. All
    other settings are those of the recording.

    Raises:
        GraphError: `end` has no graph, or an input was not given to any op.
    """

    def __init__(self, end: TensorBase, inputs: Sequence[Any]) -> None:
        nodes = list(reversed(end.ancestry()))
        made = [node for node in nodes if node._prev]
        if not made:
            raise GraphError("a replay needs a graph; this tensor was not computed from one that needs a gradient.")
        place = {node: at for at, node in enumerate(nodes)}
        self._arrays = [node.array for node in nodes]
        self._end = place[end]
        self._steps: list[_Step] = []
        self._bound: list[tuple[dict[str, Any], str, int]] = []
        for node in made:
            assert node._op is not None  # noqa: S101  (what has parents was made by an op)
            settings = dict(node._settings)
            self._bound += [
                (settings, key, which)
                for key, value in settings.items()
                for which, given in enumerate(inputs)
                if value is given and given is not None
            ]
            self._steps.append(_Step(node._op, [place[p] for p in node._prev], list(node._prev), settings, place[node]))
        given = {which for which, one in enumerate(inputs) if one is not None}
        unused = given - {which for _, _, which in self._bound}
        if unused:
            raise GraphError(f"a replay needs each input in an op just as it is; input {min(unused)} is in none.")

    def forward(self, inputs: Sequence[Any]) -> Array:
        """Compute the number from other inputs and the parameters as they are now."""
        for settings, key, which in self._bound:
            settings[key] = inputs[which]
        arrays = self._arrays
        for step in self._steps:
            out, step.saved = step.forward(*[arrays[at] for at in step.sources], **step.settings)
            arrays[step.target] = out if isinstance(out, np.ndarray) else np.asarray(out)
        return arrays[self._end]

    def backward(self) -> None:
        """Add the number's derivative to the gradient of every leaf, by the last `forward`."""
        gradients: dict[int, Array] = {self._end: np.ones_like(self._arrays[self._end])}
        for step in reversed(self._steps):
            from_above = gradients.pop(step.target)
            for (at, parent), gradient in zip(step.receivers, step.backward(from_above, step.saved), strict=True):
                if parent is not None:
                    if parent._grad is None and parent._grad_home is not None:
                        parent._grad_home[...] = gradient
                        parent._grad = parent._grad_home
                    else:
                        parent._receive(gradient)
                elif at is not None:
                    own = gradient.astype(self._arrays[at].dtype, copy=False)
                    gradients[at] = gradients[at] + own if at in gradients else own


class _Step:
    """One op of a replay: where its inputs and its output stand, and who receives its gradients."""

    __slots__ = ("backward", "forward", "receivers", "saved", "settings", "sources", "target")

    def __init__(
        self, op: type[Op], sources: list[int], parents: list[TensorBase], settings: dict[str, Any], target: int
    ) -> None:
        self.forward = op.forward
        self.backward = op.backward
        self.sources = sources
        self.settings = settings
        self.target = target
        self.saved: Any = None
        # a place for what lies between, the leaf itself for a leaf, neither for what needs no gradient
        self.receivers = [_receiver(at, parent) for at, parent in zip(sources, parents, strict=True)]


def _receiver(at: int, parent: TensorBase) -> tuple[int | None, TensorBase | None]:
    if not parent._needs_grad:
        return None, None
    return (at, None) if parent._prev else (None, parent)
