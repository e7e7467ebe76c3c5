"""What the layers gave in one recorded step, and the gradients that came back to them."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

from backlight.watch import FUNCTIONS, Block, Kind
from backlight.watch.kinds import OTHER
from backlight.watch.records import Setting
from backlight.watch.step import Measured
from backlight.watch.torch.functions import FunctionWatch
from backlight.watch.torch.graph import unchanged_sources
from backlight.watch.torch.layers import Layer, Layers, channel_axis
from backlight.watch.torch.outputs import first_measurable, measurable, tensors_in
from backlight.watch.torch.statistics import measure

BIG = 1 << 20
"""A tensor of so many numbers is measured at once and let go; smaller ones are measured together at the step's end."""

MOST_CALLS = 4_000
"""Calls that are looked at in one step: of a cell that runs over a long text, not all."""


class Call:
    """One call of a layer.

    Attributes:
        layer: whose; None for a function's until it is clear that no module's hook will claim it.
        function: its name, if it is a function's.
        tensor: what it gave; None once a big one was measured.
        kept: what is to be measured: the tensor, or a copy if somebody may change it in place.
        version: how often it had been changed in place.
        axis: where its units are.
        args: what it read, unless that is big.
        training: the module's mode.
        number: of the forward pass.
        gradient: what came back.
        retained: whether the gradient waits in the tensor, because we asked for it.
        output_at, gradient_at: where the measurements of a big one stand.
        settings: of a function.
        reads: the layers whose outputs come to it unchanged, until the layer has been told.
    """

    function: str | None = None
    gradient: torch.Tensor | None = None
    output_at: Measured | None = None
    gradient_at: Measured | None = None
    reads: tuple[str, ...] | None = None
    settings: Mapping[str, Setting] = MappingProxyType({})

    def __init__(
        self,
        layer: Layer | None,
        tensor: torch.Tensor,
        training: bool,
        number: int,
        args: Any = (),
        axis: int | None = None,
    ) -> None:
        self.layer = layer
        self.tensor: torch.Tensor | None = tensor
        self.kept: torch.Tensor | None = tensor
        self.version = tensor._version
        self.training = training
        self.number = number
        self.args = args
        self.axis = -1 if axis is None else axis
        self.retained = axis is not None


class Capture:
    """Hooks on the layers of a model while a step is recorded.

    Args:
        layers: the layers.

    Attributes:
        calls: what was seen since `clear`.
        without_gradients: whether forward passes are looked at whose results need no gradient.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._handles: list[RemovableHandle] = []
        self._mode: FunctionWatch | None = None
        self._seen_functions = False  # whether a whole pass has shown which functions there are
        self.structure_known = False
        self.without_gradients = False
        self._latest: torch.Tensor | None = None  # what the last call gave, however big
        self._quick = False  # whether nothing but the outputs of known modules is to be expected
        self.clear()

    def clear(self) -> None:
        """Forget the calls of the step before."""
        for call in getattr(self, "calls", ()):  # hooks and tensors hold each other
            call.tensor = call.kept = call.gradient = None
            call.args = ()
        self.calls: list[Call] = []
        self._number = -1
        self._axes: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._nodes: dict[Any, str] = {}
        self._places: Counter[tuple[str, str]] = Counter()

    # -- hooks ---------------------------------------------------------------------------------------------------------

    @property
    def attached(self) -> bool:
        """Whether the hooks are on."""
        return bool(self._handles)

    def attach(self) -> None:
        """Put the hooks on, if they are not."""
        if not self._handles:
            # what only moves numbers tells nothing but how layers are connected
            self._handles = [
                module.register_forward_hook(self._eye(layer))
                for module, layer in self._layers.by_module.items()
                if layer.kind.role != "shape" or not self.structure_known
            ]

    def detach(self) -> None:
        """Take them off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.end_pass()

    def begin_pass(self) -> int:
        """Note that the model is called, and return the pass's number; functions are watched until `end_pass`."""
        self.end_pass()
        self._number += 1
        self._places.clear()
        if self._handles and (not self._seen_functions or self._layers.has_functions):
            self._mode = FunctionWatch(self._saw_function)
            self._mode.__enter__()  # type: ignore[no-untyped-call]
        self._quick = self.structure_known and self._mode is None and not torch.compiler.is_compiling()
        return self._number

    def end_pass(self) -> None:
        """Note that the model has returned, or failed."""
        if self._mode is not None:
            mode, self._mode = self._mode, None
            mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._seen_functions = True
        self._settle()
        self._latest = None
        self._quick = False

    # -- the way forward -----------------------------------------------------------------------------------------------

    def _looking(self) -> bool:
        return (torch.is_grad_enabled() or self.without_gradients) and len(self.calls) < MOST_CALLS

    def _eye(self, layer: Layer) -> Callable[[torch.nn.Module, Any, Any], None]:
        """Return the hook of one layer, which has a short way for what holds no surprise: it runs for every layer."""

        def look(module: torch.nn.Module, args: Any, output: Any) -> None:
            if (
                self._quick and layer.quick and output.__class__ is torch.Tensor and output.requires_grad
                and output.numel() == layer.numel and not output.retains_grad
            ):  # fmt: skip
                output.retain_grad()
                self.calls.append(Call(layer, output, module.training, self._number, args, layer.axis))
            else:
                self._saw_module(layer, module, args, output)

        return look

    def _saw_module(self, layer: Layer, module: torch.nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or not self._looking():
            return
        tensor = output if layer.measurable and type(output) is torch.Tensor else first_measurable(output)
        if tensor is None:
            return
        last = self.calls[-1] if self.calls else None
        if (
            last is not None and last.layer is None and self._latest is tensor
        ):  # the function that the module is made of
            if layer.kind is OTHER and last.function is not None:
                layer.kind = FUNCTIONS[last.function]
            last.layer, last.training = layer, module.training
            self._settle()
            return
        self._add(Call(layer, tensor, module.training, self._number), args)

    def _saw_function(self, name: str, args: Any, settings: Any, output: torch.Tensor) -> None:
        if not self._looking() or not measurable(output):
            return
        # most functions have no mode; they belong to the module before them
        training = self.calls[-1].training if self.calls else True
        call = Call(None, output, bool(settings.get("training", training)), self._number)
        call.function = name
        call.settings = {key: one for key, one in settings.items() if isinstance(one, float) or key == "training"}
        self._add(call, args)

    def _add(self, call: Call, args: Any) -> None:
        self._settle()
        tensor, layer = call.tensor, call.layer
        assert tensor is not None  # noqa: S101  (a new call has its tensor)
        first = args[0] if args else None
        if not isinstance(first, torch.Tensor) or first.numel() < BIG:
            call.args = args
        call.axis = self._axis(layer, tensor, first)
        self.calls.append(call)
        self._latest = tensor
        if not self.structure_known:
            self._note_structure(call, args)
        big = tensor.numel() >= BIG
        copies = layer is None or layer.copies
        if tensor.requires_grad and not tensor.is_leaf:
            self._await_gradient(call, tensor, by_hook=big or copies)
        if big:
            call.output_at = self._measured(call, tensor)
            call.tensor = call.kept = None
            return
        self._axes[id(tensor)] = call.axis
        if copies:
            call.kept = tensor.detach().clone()

    def _axis(self, layer: Layer | None, tensor: torch.Tensor, first: Any) -> int:
        """Return the axis that has the units."""
        if tensor.ndim < 3:
            return tensor.ndim - 1
        inherited = self._axes.get(id(first))
        if layer is not None:
            return channel_axis(layer, tensor, inherited)
        if inherited is not None and inherited < tensor.ndim:
            return inherited
        return 1 if tensor.ndim > 3 else tensor.ndim - 1

    def _await_gradient(self, call: Call, tensor: torch.Tensor, *, by_hook: bool) -> None:
        if by_hook:  # what is changed in place would get the gradient of what it became
            tensor.register_hook(partial(self._arrived, call))  # type: ignore[no-untyped-call]
        elif not tensor.retains_grad:
            tensor.retain_grad()
            call.retained = True

    def _arrived(self, call: Call, gradient: torch.Tensor) -> None:
        if gradient.numel() >= BIG:
            call.gradient_at = self._measured(None, gradient)
        else:
            call.gradient = gradient if call.gradient is None else call.gradient + gradient

    @staticmethod
    def _measured(call: Call | None, tensor: torch.Tensor) -> Measured:
        block = Block(1)
        if call is None:
            block.want(0, tensor.numel(), histogram=True)
        else:
            kind = call.layer.kind if call.layer is not None else FUNCTIONS[str(call.function)]
            want_output(block, 0, kind, tensor, call.axis)
        measure(block, [tensor.detach()])
        return block, 0

    def _settle(self) -> None:
        """Give the last call its layer, if it was a function's and nobody claimed it."""
        if not self.calls or self.calls[-1].layer is not None:
            if self.calls and not self.structure_known:
                self._name_structure(self.calls[-1])
            return
        call = self.calls[-1]
        assert call.function is not None  # noqa: S101  (only a function's call comes without a layer)
        before = next((one.layer.name for one in reversed(self.calls[:-1]) if one.layer is not None), "input")
        before = before.partition(">")[0]
        self._places[before, call.function] += 1
        call.layer = self._layers.function(before, call.function, self._places[before, call.function])
        call.layer.settings.update(call.settings)
        if not self.structure_known:
            self._name_structure(call)

    # -- structure, once -----------------------------------------------------------------------------------------------

    def _note_structure(self, call: Call, args: Any) -> None:
        """Find out which layers' outputs come to this call unchanged."""
        if call.layer is not None:
            call.layer.measurable = True
        found: dict[str, None] = {}
        for tensor in tensors_in(args):
            if id(tensor) in self._names:
                found[self._names[id(tensor)]] = None
            elif tensor.grad_fn is not None:
                found.update(dict.fromkeys(unchanged_sources(tensor.grad_fn, self._nodes)))
        call.reads = tuple(found)

    def _name_structure(self, call: Call) -> None:
        """Let later calls find this one's output by name."""
        layer = call.layer
        assert layer is not None  # noqa: S101  (settled)
        if call.reads is not None:
            layer.calls += 1
            layer.reads = tuple(dict.fromkeys([*layer.reads, *call.reads]))
            call.reads = None
        if call.tensor is not None:
            self._names[id(call.tensor)] = layer.name
            if call.tensor.grad_fn is not None:
                self._nodes[call.tensor.grad_fn] = layer.name

    # -- the end of the step -------------------------------------------------------------------------------------------

    def finish(self) -> list[Call]:
        """Return the calls of the passes that a gradient came back to (of the last pass, if none did)."""
        self.end_pass()
        altered = set()
        for call in self.calls:
            layer, tensor = call.layer, call.tensor
            assert layer is not None  # noqa: S101  (settled)
            self._layers.executed(layer)
            if tensor is None:
                continue
            if tensor._version != call.version:
                altered.add(layer)
                if call.kept is tensor:
                    call.kept = None
            if call.retained:
                call.gradient = tensor.grad
        for call in self.calls:
            layer = call.layer
            if call.retained and call.tensor is not None:
                call.tensor.grad = None
            if layer is not None and layer.module is not None:
                layer.copies = layer in altered
                layer.axis = call.axis
                # of what has more axes than two, the units' axis may depend on what was read
                tensor = call.tensor
                layer.quick = (
                    layer.measurable and not layer.copies
                    and tensor is not None and tensor.ndim < 3 and tensor.grad_fn is not None
                )  # fmt: skip
                layer.numel = 0 if tensor is None else tensor.numel()
        self.structure_known = self.structure_known or bool(self.calls)
        backward = {call.number for call in self.calls if call.gradient is not None or call.gradient_at is not None}
        wanted = backward or {max((call.number for call in self.calls), default=0)}
        # what only moves numbers has told how layers are connected, and nothing else
        return [call for call in self.calls if call.number in wanted and not _moves(call)]


def _moves(call: Call) -> bool:
    return call.layer is not None and call.layer.kind.role == "shape"


def want_output(block: Block, at: int, kind: Kind, tensor: torch.Tensor, axis: int) -> None:
    """Say what is wanted of a layer's output."""
    units = tensor.shape[axis] if tensor.ndim else 1
    inner = tensor.shape[axis + 1 :].numel()
    by_unit = tensor.ndim > 1 and kind.role not in {"softmax", "shape"}
    block.want(at, tensor.numel(), histogram=True, kind=kind, units=units if by_unit else 0, inner=inner)
