"""What the layers gave in one recorded step, and the gradients that came back to them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from backlight.autograd import Tensor
from backlight.autograd.graph import recording
from backlight.core import Array
from backlight.nn import Module
from backlight.watch.ours.graph import unchanged_sources
from backlight.watch.ours.layers import Layer

MOST_CALLS = 4_000


class Call:
    """One call of a layer.

    Attributes:
        layer: whose.
        inputs: what it read.
        tensor: what it gave.
        training: the module's mode.
        gradient: what came back.
        arrivals: how often.
        number: of the forward pass.
    """

    __slots__ = ("arrivals", "gradient", "inputs", "layer", "number", "tensor", "training")

    def __init__(self, layer: Layer, inputs: tuple[Any, ...], tensor: Tensor, number: int) -> None:
        self.layer = layer
        self.inputs = inputs
        self.tensor = tensor
        self.training = layer.module.training
        self.gradient: Array | None = None
        self.arrivals = 0
        self.number = number


class Capture:
    """Hooks on the layers of a model while a step is recorded.

    Args:
        layers: the layers.
        on_backward: called when the first gradient of a step arrives.

    Attributes:
        calls: what was seen since `clear`.
        number: of the forward pass that is under way; who sees it end counts on.
        structure_known: whether it is known how the layers are connected.
    """

    def __init__(self, layers: dict[Module, Layer], on_backward: Callable[[], None]) -> None:
        self._layers = layers
        self._on_backward = on_backward
        self._removers: list[Callable[[], None]] = []
        self._executed = 0
        self.structure_known = False
        self.without_gradients = False
        self.clear()

    def clear(self) -> None:
        """Forget the calls of the step before."""
        self.calls: list[Call] = []
        self.number = 0
        self._names: dict[int, str] = {}

    def attach(self) -> None:
        """Put the hooks on, if they are not."""
        if not self._removers:
            self._removers = [
                module.register_forward_hook(partial(self._saw, layer)) for module, layer in self._layers.items()
            ]

    def detach(self) -> None:
        """Take them off."""
        for remove in self._removers:
            remove()
        self._removers = []

    def _saw(self, layer: Layer, module: Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        del module
        if not (recording.on or self.without_gradients) or len(self.calls) >= MOST_CALLS:
            return
        call = Call(layer, inputs, out, self.number)
        if layer.depth is None:
            layer.depth = self._executed
            self._executed += 1
        if not self.structure_known:
            layer.calls += 1
            found = (unchanged_sources(one, self._names) for one in inputs if isinstance(one, Tensor))
            layer.reads = tuple(dict.fromkeys([*layer.reads, *(name for names in found for name in names)]))
            self._names[id(out)] = layer.name
        if out.array.size and out.array.dtype.kind == "f":
            self.calls.append(call)
            if out.requires_grad:
                out.register_hook(partial(self._arrived, call))

    def _arrived(self, call: Call, gradient: Array) -> None:
        self._on_backward()
        call.gradient = gradient
        call.arrivals += 1

    def finish(self) -> list[Call]:
        """Return the calls of the passes that a gradient came back to; of the last pass, if none did."""
        self.structure_known = self.structure_known or bool(self.calls)
        backward = {call.number for call in self.calls if call.arrivals}
        wanted = backward or {max((call.number for call in self.calls), default=0)}
        return [call for call in self.calls if call.number in wanted]
