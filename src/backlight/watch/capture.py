"""What the layers gave in one recorded step, and the gradients that came back to them."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from backlight.watch.adapter import Adapter, Remove
from backlight.watch.calls import Call, Place, Wanted, WatchedLayer, numel
from backlight.watch.graph import unchanged_sources
from backlight.watch.layers import Layers, claim
from backlight.watch.notes import notes_of
from backlight.watch.numbers import Block, Layout, want_output

LARGE = 1 << 17
"""A result of this many numbers is measured at once and let go; smaller ones wait for the end of the step."""

MOST_HELD = 1 << 22
"""Once the results of a step have this many numbers together, further ones are measured at once too."""

MOST_CALLS = 4_000
"""Calls that are looked at in one step: of a cell that runs over a long text, not all."""


class Capture:
    """Hooks on the layers of a network while a step is recorded.

    Args:
        adapter: the network and its framework.
        layers: its layers.
        on_arrival: called when a gradient arrives that a hook waits for.
        on_call: called with a module when a layer has run.
        on_error: called with what went wrong in a hook, which must not break the network's own pass.

    Attributes:
        calls: what was seen since `clear`.
        number: of the forward pass that is under way.
        is_routine: whether nothing but known layers with known shapes is to be expected in this pass.
        without_gradients: whether forward passes are looked at whose results need no gradient.
        structure_known: whether it is known how the layers are connected.
        wanted: which notes on calls are to be made.
    """

    def __init__(
        self, adapter: Adapter, layers: Layers, *, on_arrival: Callable[[], None] | None = None,
        on_call: Callable[[Any], None] | None = None, on_error: Callable[[Exception], None] | None = None,
    ) -> None:  # fmt: skip
        self.adapter = adapter
        self._layers = layers
        self._on_arrival = on_arrival
        self._on_call = on_call
        self.on_error = on_error
        self._removers: list[Remove] = []
        self._functions: Any = None  # the open block that shows calls of functions
        self._functions_known = False
        self._error: Exception | None = None  # what went wrong when a function was called
        self.structure_known = False
        self.without_gradients = False
        self.wanted = Wanted()
        self.is_routine = False
        self._latest: Any = None  # what the last call gave, however large
        self._reads_shape: tuple[int, ...] = ()  # of what the last call read, while the structure is found out
        self.calls: list[Call] = []
        self._held = 1  # numbers of the results that were not routine
        self.clear()

    def clear(self) -> None:
        """Forget the calls of the step before."""
        if self._held:  # hooks and tensors hold each other
            for call in self.calls:
                call.tensor = call.values = call.gradient = None
                call.args = ()
            self._axes: dict[int, int] = {}
            self._names: dict[int, str] = {}
            self._nodes: dict[Any, str] = {}
            self._occurrences: Counter[tuple[str, str]] = Counter()
        self.calls = []
        self.number = 0
        self._held = 0
        self._shapes = False  # whether a layer that only moves numbers is among the calls

    def failed(self, error: Exception) -> None:
        """Take in what went wrong in a hook."""
        if self.on_error is None:
            raise error
        self.on_error(error)

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def attach(self) -> bool:
        """Put the hooks on, if they are not. Returns whether they were not."""
        if self._removers:
            return False
        # what only moves numbers shows nothing but how layers are connected
        self._removers = [
            self.adapter.hook_layer(layer, self)
            for layer in self._layers.by_module.values()
            if layer.kind.role != "shape" or not self.structure_known
        ]
        return True

    def detach(self) -> None:
        """Take them off."""
        for remove in self._removers:
            remove()
        self._removers = []
        self._close_pass()

    def begin_pass(self) -> None:
        """Note that the network is called; functions are watched until `end_pass`."""
        self._close_pass()
        self._occurrences.clear()
        transformed = self.adapter.is_transformed()
        if self._removers and not transformed and (not self._functions_known or self._layers.has_functions):
            self._functions = self.adapter.watch_functions(self._on_function)
            if self._functions is not None:
                self._functions.__enter__()
        self.is_routine = self.structure_known and self._functions is None and not transformed

    def end_pass(self) -> None:
        """Note that the network has returned, or failed."""
        self._close_pass()
        self.number += 1

    def _close_pass(self) -> None:
        if self._functions is not None:
            block, self._functions = self._functions, None
            block.__exit__(None, None, None)
        error, self._error = self._error, None
        if error is not None:
            self.failed(error)
            return
        self._functions_known = self._functions_known or bool(self.calls)
        self._settle()
        self._latest = None
        self.is_routine = False

    # -- forward -------------------------------------------------------------------------------------------------------

    def _is_wanted(self) -> bool:
        return (self.adapter.is_recording() or self.without_gradients) and len(self.calls) < MOST_CALLS

    def on_module(self, layer: WatchedLayer, module: Any, args: Any, output: Any) -> None:
        """Take in one call of a module."""
        layer.shape = None
        if not self._is_wanted() or self.adapter.is_transformed():
            return
        adapter = self.adapter
        if self._on_call is not None:
            self._on_call(module)
            if not self._removers:
                return  # this call began a step that is not recorded
        tensor = next((one for one in adapter.tensors_in(output) if adapter.why_not_measured(one) is None), None)
        if tensor is None:
            return
        last = self.calls[-1] if self.calls else None
        if (
            last is not None and last.layer is None and self._latest is tensor
        ):  # the function that the module is made of
            claim(layer, str(last.function))
            last.layer, last.training = layer, module.training
            self._settle()
            return
        self._add(Call(layer, tensor, (), module.training, adapter.version(tensor), self.number), args)

    def _on_function(self, name: str, args: tuple[Any, ...], settings: Mapping[str, Any], output: Any) -> None:
        if self._error is not None:
            return
        try:
            self._take_function(name, args, settings, output)
        except Exception as error:  # noqa: BLE001  (it is shown as "not measured")
            self._error = error  # until the pass ends: what watches functions cannot be taken off in one of their calls

    def _take_function(self, name: str, args: tuple[Any, ...], settings: Mapping[str, Any], output: Any) -> None:
        if not self._is_wanted() or self.adapter.why_not_measured(output) is not None:
            return
        # most functions have no mode; they belong to the module before them
        training = bool(settings.get("training", self.calls[-1].training if self.calls else True))
        call = Call(None, output, (), training, self.adapter.version(output), self.number)
        call.function = name
        call.settings = {key: one for key, one in settings.items() if isinstance(one, float) or key == "training"}
        self._add(call, args)

    def _add(self, call: Call, args: Any) -> None:
        self._settle()
        adapter, tensor, layer = self.adapter, call.tensor, call.layer
        first = args[0] if args else None
        if not hasattr(first, "shape") or numel(first) < LARGE:
            call.args = args
        inherited = self._axes.get(id(first))
        call.shape = tensor.shape
        call.axis = adapter.channel_axis(layer, call.shape, inherited)
        self.calls.append(call)
        self._latest = tensor
        if not self.structure_known:
            self._note_sources(call, args)
            self._reads_shape = tuple(getattr(first, "shape", ()))
            if layer is not None:
                layer.reads_shape = layer.reads_shape or self._reads_shape
        size = numel(tensor)
        large = size >= LARGE or self._held + size > MOST_HELD
        self._shapes = self._shapes or call.kind.role == "shape"
        copies = layer is None or layer.copies
        adapter.await_gradient(call, self, at_once=large or copies)
        if large:
            if layer is not None:
                layer.at_once = True
            values = adapter.values(tensor)
            self._held += 1
            call.output_at = self._measured(call, values)
            call.notes = notes_of(adapter, call, values, first, self.wanted)
            call.tensor = None
            return
        self._held += size
        self._axes[id(tensor)] = call.axis
        call.values = adapter.copied(tensor) if copies else adapter.values(tensor)

    def on_gradient(self, call: Call, gradient: Any) -> None:
        """Take in a gradient that arrived at what a call gave."""
        try:
            self._take_gradient(call, gradient)
        except Exception as error:  # noqa: BLE001  (it is shown as "not measured")
            self.failed(error)

    def _take_gradient(self, call: Call, gradient: Any) -> None:
        call.arrivals += 1
        if self._on_arrival is not None:
            self._on_arrival()
        if numel(gradient) >= LARGE or call.output_at is not None:
            call.gradient_at = self._measured(None, gradient)
        else:
            call.gradient = gradient if call.gradient is None else call.gradient + gradient

    def forget_gradients(self) -> None:
        """Forget what came back so far."""
        for call in self.calls:
            call.gradient = call.gradient_at = None
            call.arrivals = 0

    def _measured(self, call: Call | None, values: Any) -> Place:
        layout = Layout(1)
        if call is None:
            layout.want(0, numel(values), histogram=True)
        else:
            want_output(layout, 0, call.kind, values.shape, call.axis)
        block = Block(layout)
        self.adapter.measure(block, [values])
        return block, 0

    def _settle(self) -> None:
        """Give the last call its layer, if it was a function's and no module claimed it."""
        if not self.calls:
            return
        call = self.calls[-1]
        if call.layer is None:
            before = next((one.name for one in reversed(self.calls[:-1]) if one.layer is not None), "input")
            before, function = before.partition(">")[0], str(call.function)
            self._occurrences[before, function] += 1
            call.layer = self._layers.function(before, function, self._occurrences[before, function])
            call.layer.settings.update(call.settings)
            call.layer.reads_shape = call.layer.reads_shape or self._reads_shape
        if not self.structure_known:
            self._name_sources(call, call.layer)

    # -- structure, once -----------------------------------------------------------------------------------------------

    def _note_sources(self, call: Call, args: Any) -> None:
        """Find out which layers' outputs come to this call unchanged."""
        found: dict[str, None] = {}
        for tensor in self.adapter.tensors_in(args):
            node = self.adapter.node(tensor)
            if id(tensor) in self._names:
                found[self._names[id(tensor)]] = None
            elif node is not None:
                found.update(dict.fromkeys(unchanged_sources(self.adapter, node, self._nodes)))
        call.reads = tuple(found)

    def _name_sources(self, call: Call, layer: WatchedLayer) -> None:
        """Let later calls find this one's output by name."""
        if call.reads is not None:
            layer.calls += 1
            layer.reads = tuple(dict.fromkeys([*layer.reads, *call.reads]))
            call.reads = None
        if call.tensor is not None:
            self._names[id(call.tensor)] = layer.name
            node = self.adapter.node(call.tensor)
            if node is not None:
                self._nodes[node] = layer.name

    # -- the end of the step -------------------------------------------------------------------------------------------

    def finish(self) -> list[Call]:
        """Return the calls of the passes that a gradient came back to (of the last pass, if none did)."""
        self._close_pass()
        altered = self.adapter.collect(self.calls)
        if altered or self._held or not self.structure_known:
            self._learn(altered)
        if not self.calls or (self.structure_known and self.calls[-1].number == 0 and not self._shapes):
            return self.calls
        backward = {call.number for call in self.calls if call.gradient is not None or call.gradient_at is not None}
        wanted = backward or {max((call.number for call in self.calls), default=0)}
        # what only moves numbers has shown how layers are connected, and nothing else
        return [call for call in self.calls if call.number in wanted and call.kind.role != "shape"]

    def _learn(self, altered: set[WatchedLayer]) -> None:
        """Find out which layers need no closer look in the next recorded step."""
        for call in self.calls:
            layer = call.layer
            assert layer is not None  # noqa: S101  (settled)
            self._layers.executed(layer)
            if layer.shape is None and layer.module is not None:
                layer.axis, layer.copies = call.axis, layer in altered
                if self.structure_known and call.retained and call.values is call.tensor and not layer.at_once:
                    layer.shape = call.shape
        for layer in altered:
            layer.copies, layer.shape = True, None
        if self.calls and not self.structure_known:
            self.structure_known = True
            self.detach()  # the next step does without the hooks that only showed the structure
