"""What the network as a whole was given and returned in one recorded step, and how the loss was made of that."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from backlight.watch.adapter import Adapter
from backlight.watch.calls import Call, numel
from backlight.watch.graph import LossGraph
from backlight.watch.notes import MOST_NUMBERS
from backlight.watch.others import Others
from backlight.watch.records import InputRecord, LossFacts
from backlight.watch.step import (
    LATER,
    GradientRows,
    LayersMeasured,
    OutputMeasured,
    class_axis,
    input_record,
    output_measured,
    pass_share,
)

Inputs = list[tuple[str, Any]]
"""The tensors that a network is given, by place or keyword."""


class Passes:
    """The passes of one step.

    Args:
        adapter: the network and its framework.

    Attributes:
        inputs: by the number of a forward pass, what the network was given.
        backward: how many backward passes there were.
        detached: see `StepRecord`.
        loss: how the loss is made of the output, by the first graph that was read; None before.
        reached: ids of the parameters that it depends on; None likewise.
        others: the parameters that it depends on and the network does not have; None likewise.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.loss: LossFacts | None = None
        self.reached: set[int] | None = None
        self.others: Others | None = None
        self._class_axis: int | None = None
        self._place: int | None = None  # of the output that the loss was made of, among all
        self.clear()

    def clear(self) -> None:
        """Forget the step before."""
        self.inputs: dict[int, Inputs] = {}
        self.backward = 0
        self._outputs: list[Any] = []
        self._gradients: dict[int, Any] = {}
        self.detached: bool | None = None
        self._graph: LossGraph | None = None

    def forget_loss(self) -> None:
        """Read the next loss anew: the network has changed."""
        self.loss = self.reached = self.others = self._class_axis = self._place = None

    def take_output(self, result: Any, hook: Callable[[int, bool, Any], None]) -> None:
        """Take in what the network returned; `hook(place, is_first, gradient)` is called when a gradient arrives."""
        adapter = self._adapter
        is_first = True
        for tensor in adapter.tensors_in(result):
            if adapter.why_not_measured(tensor) is None:
                self.detached = self.detached is not False and not adapter.awaits_gradient(tensor)
            if not tensor.shape or adapter.why_not_measured(tensor) is not None:
                continue  # a single number is a loss, not what it is made of
            if adapter.awaits_gradient(tensor):
                # the hook must not hold the tensor: the two would keep each other, and the whole graph, alive
                adapter.hook_gradient(tensor, partial(hook, len(self._outputs), is_first))
                is_first = False
            self._outputs.append(tensor)

    def take_gradient(self, place: int, is_first: bool, gradient: Any) -> None:
        """Take in the gradient of an output. Of a large one, some rows are kept: the rest of it is free again."""
        self.backward += is_first
        means_classes = self.loss is None or self.loss.kind in {"cross_entropy", "binary_cross_entropy"}
        if means_classes and numel(gradient) > MOST_NUMBERS:
            axis = class_axis(gradient.shape) if self.loss is None else self._class_axis
            gradient = GradientRows.of(self._adapter, gradient, -1 if axis is None else axis)
        self._gradients[place] = gradient

    def read_loss(self, loss: Any, step: int, *, anew: bool) -> None:
        """Read the graph of a loss that has one, if it was not read before, or if it holds the targets.

        Args:
            loss: the loss.
            step: how many steps had been taken.
            anew: whether to read it once more.
        """
        if not (anew or self.loss is None or self._adapter.holds_targets) or self._adapter.node(loss) is None:
            return
        graph = self._graph = LossGraph(self._adapter, loss, self._outputs)
        if self.loss is None:
            facts = replace(graph.facts(), foreign=self._foreign(graph))
            self.loss, self.reached, self._class_axis = facts, set(graph.reached), graph.class_axis()
            self.others = Others(self._adapter, graph.reached.values(), step)
        if graph.output is not None:
            self._place = next((at for at, one in enumerate(self._outputs) if one is graph.output), None)

    def _foreign(self, graph: LossGraph) -> int:
        """Return how many parameters the output depends on that are not the network's."""
        adapter = self._adapter
        given = [tensor for inputs in self.inputs.values() for _, tensor in inputs]
        if any(adapter.awaits_gradient(one) for one in given):
            return 0  # another network made what is read
        own = {id(one) for one in (*given, *adapter.named_parameters().values())}
        others = [leaf for at, leaf in graph.below().items() if leaf.requires_grad and at not in own]
        # a network that returns its slope by the input makes a leaf of it: x.detach().requires_grad_()
        return sum(not any(leaf.shape == one.shape and adapter.equal(leaf, one) for one in given) for leaf in others)

    def output(self, calls: Sequence[Call]) -> tuple[Any, Any]:
        """Return the output that the loss was made of, or else one that a gradient came to, and its gradient."""
        place = self._place
        if place is None or place >= len(self._outputs):
            place = min(self._gradients, default=0 if self._outputs else None)
        if place is not None:
            return self._outputs[place], self._gradients.get(place)
        output = None if self._graph is None else self._graph.output
        found = next((call for call in reversed(calls) if output is not None and call.tensor is output), None)
        return output, None if found is None else found.gradient

    def about(
        self, output: Any, gradient: Any, layers: LayersMeasured, inputs: Inputs, scale: float | None
    ) -> OutputMeasured | None:
        """Return what the output and its gradient, divided by `scale`, say about the targets of these inputs."""
        if output is None:
            return None
        if gradient is not None and scale:
            gradient = gradient / scale
        targets = None if self._graph is None else self._graph.targets()
        return output_measured(
            self._adapter, output, gradient, layers.output_at, loss=self.loss, axis=self._class_axis, targets=targets,
            inputs=[one for _, one in inputs],
        )  # fmt: skip

    def share(self, output: Any, gradient: Any, scale: float | None) -> float | None:
        """Return what the loss of one of several backward passes is multiplied by; None if that is not known."""
        if self.backward < 2 or output is None or gradient is None:
            return None
        return pass_share(self._adapter, output, gradient / scale if scale else gradient)

    def given(self, calls: Sequence[Call]) -> Inputs:
        """Return the inputs of the first of the passes that these calls are of; else what the first of them read."""
        numbers = sorted({call.number for call in calls} & self.inputs.keys()) or sorted(self.inputs)
        if numbers:
            return self.inputs[numbers[0]]
        return named_inputs(self._adapter, calls[0].args if calls else (), {})


def named_inputs(adapter: Adapter, args: Any, kwargs: Mapping[str, Any]) -> Inputs:
    """Return the tensors among arguments, by place or keyword."""
    found = [(str(at), list(adapter.tensors_in(one))) for at, one in enumerate(args)]
    found += [(name, list(adapter.tensors_in(one))) for name, one in kwargs.items()]
    return [
        (name if len(tensors) == 1 else f"{name}.{at}", tensor)
        for name, tensors in found
        for at, tensor in enumerate(tensors)
        if adapter.is_input(tensor) and tensor.shape  # a number without axes, as a count of targets, is no input
    ]


def measurable(adapter: Adapter, inputs: Inputs) -> dict[str, Any]:
    """Return the inputs that hold numbers with a scale, rather than ids."""
    return {name: one for name, one in inputs if adapter.why_not_measured(one) is None}


def input_makers(
    adapter: Adapter, inputs: Inputs, floats: Mapping[str, Any], layers: LayersMeasured
) -> list[Callable[[], InputRecord]]:
    """Return what makes the records of inputs: of all of a small one, of a few features of a large one."""
    places = {name: layers.input_at(at) for at, name in enumerate(floats)}
    made: list[Callable[[], InputRecord]] = []
    for name, tensor in inputs:
        step = max(1, math.ceil(math.prod(tensor.shape) / LATER))
        some = adapter.features(tensor, step)
        made.append(partial(input_record, name, some, tuple(tensor.shape), places.get(name)))
    return made
