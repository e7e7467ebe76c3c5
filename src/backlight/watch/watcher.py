"""The watcher: what it does at each call of a network, each optimiser's step, and each step of the training."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from types import TracebackType
from typing import Any, Self

import numpy as np

from backlight.core import ConfigError
from backlight.watch.adapter import Adapter, Remove
from backlight.watch.capture import Capture
from backlight.watch.layers import Layers
from backlight.watch.loss_graph import LossGraph
from backlight.watch.nonfinite import first_nonfinite, locate
from backlight.watch.parameters import Parameters
from backlight.watch.records import (
    EvaluationPoint,
    InputRecord,
    LossFacts,
    LossPoint,
    Measurements,
    NonFinite,
    NotMeasured,
    Probe,
    SplitFacts,
)
from backlight.watch.schedule import (
    EVERY,
    MAPS_EVERY,
    STATISTICS_EVERY,
    LossSeries,
    Records,
    is_kept,
    is_loss_kept,
    is_recorded,
    recorded_before,
)
from backlight.watch.step import (
    LATER,
    LayersMeasured,
    OutputMeasured,
    RecordedStep,
    StepMeasurer,
    input_record,
    output_measured,
)
from backlight.watch.stream import SCHEMA, End, Start, Stream, line_of, network_of


def _nothing() -> None:
    """Do nothing."""


def _harmless(method: Callable[..., None]) -> Callable[..., None]:
    """Let what goes wrong in a hook be noted, and not break the training that the hook is called from."""

    @wraps(method)
    def guarded(watcher: "Watcher", *args: Any) -> None:
        try:
            method(watcher, *args)
        except Exception as error:  # noqa: BLE001  (it is shown as "not measured")
            watcher._give_up(error)

    return guarded


class Watcher:
    """Watches a network while it is trained; see `backlight.health.watch`.

    Args:
        adapter: the network and its framework.
        optimisers: those that are known; PyTorch's are found when they step.
        every: every how many steps one is recorded, after the first few.
        stream: where records are appended; None for nowhere.
    """

    def __init__(
        self, adapter: Adapter, *, optimisers: Iterable[Any] = (), every: int = EVERY, stream: Stream | None = None
    ) -> None:
        if every < 1:
            raise ConfigError(f"every must be at least 1 (every N-th step is recorded); got {every}.")
        self.adapter = adapter
        self.every = every
        self.taken = 0
        self._layers = Layers(adapter)
        self._capture = Capture(adapter, self._layers, on_arrival=self._on_arrival, on_error=self._give_up)
        self._parameters = Parameters(adapter, self._layers)
        self._optimisers = adapter.optimisers(
            self._parameters.tensors, optimisers, before=self._before_update, after=self._after_update
        )
        self._measurer = StepMeasurer(adapter)
        self._records: Records[RecordedStep] = Records(every)
        self._losses = LossSeries()
        self._evaluations: list[EvaluationPoint] = []
        self._probes: list[Probe] = []
        self._split: SplitFacts | None = None
        self._first_nonfinite: NonFinite | None = None
        self._not_measured = {one.what: one for one in self._parameters.not_measured}
        self._loss: LossFacts | None = None
        self._class_axis: int | None = None
        self._output_place: int | None = None  # of the output that the loss was made of, among all
        self._removers: list[Remove] = []
        self._remove_return: Remove = _nothing
        self._last_call: tuple[Any, Any] | None = None
        self._watching = False
        self._recording = False
        self._stepped = False  # an optimiser has stepped, and `step` was not called yet
        self._reported = False  # `step` is called by the user
        self._busy = False  # the network is run by the watcher itself
        self._stream = stream
        self._pending: list[bytes] = []  # losses, which are written with the next line of another sort
        self._network = b""  # as it was written last
        self._forget()

    # -- beginning and ending ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._watching = True
        self._begin_stream()
        self._start()
        self._prepare()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching and leave nothing behind in the network. What was measured stays. May be called twice."""
        if not self._watching:
            return
        if self._stepped and not self._reported:
            self._end_step(None, None)
        self._watching = self._recording = False
        for remove in self._removers:
            remove()
        self._removers = []
        self._detach()
        self._optimisers.detach()
        self._forget()
        self._last_call = None
        self._write("end", End(step=self.taken))
        if self._stream is not None:
            self._stream.close()

    def _start(self) -> None:
        """Attach what watches all steps."""
        self._removers = [self.adapter.hook_call(self._on_call)]
        self._optimisers.attach()

    def _prepare(self) -> None:
        """Make ready for the next step."""
        self._recording = self._watching and is_recorded(self.taken, self.every)
        if self._recording:
            self._begin_record()
        elif self._is_dirty:
            self._forget()
            self._detach()
        self._optimisers.clear()

    @_harmless
    def _begin_record(self) -> None:
        self._forget()
        self._is_dirty = True
        index = recorded_before(self.taken, self.every)
        self._capture.wanted.statistics = index % STATISTICS_EVERY == 0
        self._capture.wanted.maps = index % MAPS_EVERY == 0
        self._attach()
        if not self._optimisers.steps:  # nobody may say when the parameters are about to move
            self._parameters.remember()

    def _attach(self) -> None:
        """Put on the hooks that a recorded step needs."""
        if self._capture.attach():
            self._remove_return()  # it must come after the layers' hooks: the network itself may be a layer
            self._remove_return = self.adapter.hook_return(self._on_return)

    def _detach(self) -> None:
        self._capture.detach()
        self._remove_return()
        self._remove_return = _nothing

    def _forget(self) -> None:
        """Forget the step before."""
        self._is_dirty = False
        self._capture.clear()
        self._parameters.clear()
        self._passes: dict[int, list[tuple[str, Any]]] = {}
        self._outputs: list[Any] = []
        self._output_gradients: dict[int, Any] = {}
        self._left_over: float | None = None
        self._scale: float | None = None
        self._rates: tuple[float, ...] = ()
        self._backward_passes = 0

    def _give_up(self, error: Exception) -> None:
        """Note that this step cannot be recorded, and leave it alone."""
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
        self._note(f"step {self.taken}", f"{reason:.200}", of="this step")
        self._recording = False
        self._forget()
        self._detach()

    def _note(self, what: str, because: str, *, of: str = "") -> None:
        key = f"{of or what}: {because}"
        if key not in self._not_measured:
            self._not_measured[key] = NotMeasured(what=what, because=because, step=self.taken)
            self._write("not_measured", self._not_measured[key])

    def note_nonfinite(self, found: NonFinite | None) -> None:
        """Keep where a number first was not finite, if that is not known yet."""
        if found is not None and self._first_nonfinite is None:
            self._first_nonfinite = found
            self._write("not_finite", found)

    # -- the stream ----------------------------------------------------------------------------------------------------

    def _begin_stream(self) -> None:
        kind = type(self.adapter.model).__name__
        start = Start(schema=SCHEMA, framework=self.adapter.framework, source="watch", model=kind, interval=self.every)
        self._write("start", start)
        for one in self._not_measured.values():
            self._write("not_measured", one)

    def _write(self, type_: str, record: Any) -> None:
        """Append a record to the stream, if there is one. A disk that refuses must not break the training."""
        if self._stream is None:
            return
        self._pending.append(line_of(type_, record))
        if type_ != "loss":
            self.flush()

    def flush(self) -> None:
        """Write the losses that wait for a line of another sort."""
        if self._stream is None or not self._pending:
            return
        lines, self._pending = b"".join(self._pending), []
        try:
            self._stream.append(lines)
        except OSError as error:
            self._stream = None
            self._note("the record stream", f"the file could not be written to: {error}")

    def _write_step(self, made: RecordedStep) -> None:
        if self._stream is None or not is_kept(made.step, self.every):
            return
        network = network_of(self.facts(), made.step)
        line = line_of("network", replace(network, step=0))
        if line != self._network:
            self._network = line
            self._write("network", network)
        self._write("step", made.record())

    # -- in the step ---------------------------------------------------------------------------------------------------

    def _on_call(self, args: Any, kwargs: Any) -> None:
        if self._busy or not self.adapter.is_recording():
            return
        if self._stepped and not self._reported:
            self._end_step(None, None)
        self._last_call = args, kwargs
        if self._recording:
            self._on_recorded_call(args, kwargs)

    @_harmless
    def _on_recorded_call(self, args: Any, kwargs: Any) -> None:
        if not self.adapter.is_transformed():
            self._capture.begin_pass()
            self._passes[self._capture.number] = named_inputs(self.adapter, args, kwargs)

    @_harmless
    def _on_return(self, output: Any) -> None:
        if self._busy or not self._recording:
            return
        adapter = self.adapter
        self._capture.end_pass()
        if not adapter.is_recording() or adapter.is_transformed():
            return
        is_first = True
        for tensor in adapter.tensors_in(output):
            if not tensor.shape or adapter.why_not_measured(tensor) is not None:
                continue  # a single number is a loss, not what it is made of
            if adapter.awaits_gradient(tensor):
                # the hook must not hold the tensor: the two would keep each other, and the whole graph, alive
                adapter.hook_gradient(tensor, partial(self._on_gradient, len(self._outputs), is_first))
                is_first = False
            self._outputs.append(tensor)

    @_harmless
    def _on_gradient(self, place: int, is_first: bool, gradient: Any) -> None:
        self._on_arrival()
        self._backward_passes += is_first
        self._output_gradients[place] = gradient

    def _on_arrival(self) -> None:
        """Look at what stands in the parameters' gradients when the step's first backward pass begins."""
        if self._left_over is None and self._recording:
            self._left_over = self._parameters.left_over(self._optimisers.group_of)
            self._scale = self.adapter.loss_scale()

    def _before_update(self, optimiser: Any) -> None:
        if self._recording:
            self._before_recorded_update(optimiser)
        elif self._first_nonfinite is None:
            self._check_gradients()

    @_harmless
    def _before_recorded_update(self, optimiser: Any) -> None:
        if self._busy:
            return
        parameters = self._parameters
        first = not self._rates
        if first:
            self._rates = self._optimisers.rates()
            parameters.remember()
        own = self._optimisers.places(optimiser)
        parameters.read_gradients(own, self.adapter.step_scale(optimiser))
        if first and len(own) < len(parameters.tensors):
            # those that this optimiser has not: after its step, they may be gone
            parameters.read_gradients(None, self._scale or 1.0)

    def _after_update(self, optimiser: Any) -> None:
        del optimiser
        self._stepped = True

    @_harmless
    def _check_gradients(self) -> None:
        """Look at one gradient, in a step that is not recorded: what is not finite travels back to the first layer.

        The optimiser has not stepped yet, so the network can be run again on the same batch with the same weights.
        """
        if self.adapter.looks_broken(self._parameters.tensors) and not self._busy:
            self.note_nonfinite(self.locate())

    def locate(self, run: Callable[[], Any] | None = None) -> NonFinite:
        """Run the network once more on its last batch and return where numbers first are not finite.

        Args:
            run: runs it; None calls it with what it was given last.
        """
        inputs: Mapping[str, Any] = {}
        if run is None and self._last_call is not None:
            args, kwargs = self._last_call
            inputs = dict(named_inputs(self.adapter, args, kwargs))
            run = partial(self.adapter.model, *args, **kwargs)
        self._busy = True
        try:
            return locate(self.adapter, self._layers, self._parameters, run, inputs, self.taken)
        finally:
            self._busy = False

    # -- the end of a step ---------------------------------------------------------------------------------------------

    def step(self, loss: Any = None) -> None:
        """Report that a training step is over, after the optimiser's step.

        Args:
            loss: the minibatch's loss, just as it was computed, with its graph: how it was made of the network's output
                is read from that. A plain number says less, None nothing. Anything but one number is not recorded, and
                the diagnosis says so.
        """
        if not self._watching:
            raise ConfigError(
                "call watcher.step() inside `with watch(model) as watcher:`; this watcher is not watching."
            )
        self._reported = True
        value = None
        if loss is not None:
            try:
                value = self.adapter.number(loss)
            except (TypeError, ValueError, RuntimeError) as error:
                self._note("the loss", f"watcher.step(loss) takes one number, {error}", of="the loss")
                loss = None
        self._end_step(loss, value)

    def _end_step(self, loss: Any, value: float | None) -> None:
        self._stepped = False
        if self._recording:
            self._record(loss, value)
        if value is not None:
            self._losses.add(self.taken, value)
            if not math.isfinite(value):
                self.note_nonfinite(NonFinite(where="loss", direction="loss", step=self.taken))
            if self._stream is not None and is_loss_kept(self.taken):
                self._write("loss", LossPoint(step=self.taken, loss=value))
        self.taken += 1
        self._prepare()

    @_harmless
    def _record(self, loss: Any, value: float | None) -> None:
        with np.errstate(all="ignore"):
            made = self._measured(loss, value)
        self._records.add(made)
        self._write_step(made)

    def _measured(self, loss: Any, value: float | None) -> RecordedStep:
        adapter, parameters, capture = self.adapter, self._parameters, self._capture
        is_new = not capture.structure_known
        calls = capture.finish()
        graph = self._graph(loss) if is_new or self._loss is None or adapter.reads_every_graph else None
        self._rates = self._rates or self._optimisers.rates()
        parameters.read_gradients()
        if parameters.remembered:
            parameters.read_update()
        else:  # no step was taken where one was expected
            parameters.remember()
        place = self._place_of_output(graph)
        output = self._outputs[place] if place is not None else None if graph is None else graph.output
        gradient = None if place is None else self._output_gradients.get(place)
        if gradient is None and output is not None:
            gradient = next((call.gradient for call in reversed(calls) if call.tensor is output), None)
        numbers = sorted({call.number for call in calls} & self._passes.keys()) or sorted(self._passes)
        inputs = self._passes[numbers[0]] if numbers else named_inputs(self.adapter, calls[0].args if calls else (), {})
        floats = measurable_inputs(adapter, inputs)
        layers = self._measurer.layers(calls, list(floats.values()), output, capture.wanted)
        measured = parameters.measured()
        if self._first_nonfinite is None and (self._scale is None or self._optimisers.steps):
            found = first_nonfinite(
                adapter, self.taken, value, inputs=list(floats), parameters=measured, calls=calls, layers=layers
            )
            self.note_nonfinite(found)
        passes = len({call.number for call in calls}) if calls else len(self._passes)
        facts = {
            "loss": value,
            "lr": self._rates,
            "batch_size": next((one.shape[0] for _, one in inputs if one.shape), None),
            "left_over_norm": self._left_over,
            "forward_passes": passes,
            "backward_passes": max(self._backward_passes, max((call.arrivals for call in calls), default=0)),
            "optimiser_steps": self._optimisers.steps if self._optimisers.found else None,
            "scale": self._scale,
        }
        made = input_makers(adapter, inputs, floats, layers)
        about = self._about(output, gradient, layers, graph)
        return RecordedStep(self.taken, layers=layers, parameters=measured, inputs=made, output=about, facts=facts)

    def _about(
        self, output: Any, gradient: Any, layers: LayersMeasured, graph: LossGraph | None
    ) -> OutputMeasured | None:
        if output is None:
            return None
        if gradient is not None and self._scale:
            gradient = gradient / self._scale
        targets = None if graph is None else graph.targets()
        return output_measured(
            self.adapter, output, gradient, layers.output_at, loss=self._loss, axis=self._class_axis, targets=targets
        )

    def _graph(self, loss: Any) -> LossGraph | None:
        """Read the graph of a loss that has one."""
        if not self.adapter.is_tensor(loss) or self.adapter.node(loss) is None:
            return None
        graph = LossGraph(self.adapter, loss, self._outputs)
        if self._loss is None:
            self._loss = graph.facts()
            self._parameters.reached = graph.reached
            self._class_axis = graph.class_axis()
        return graph

    def _place_of_output(self, graph: LossGraph | None) -> int | None:
        """Return the place of the output that the loss was made of; without a graph, of one that a gradient came to."""
        if graph is not None and graph.output is not None:
            self._output_place = next((at for at, one in enumerate(self._outputs) if one is graph.output), None)
        if self._output_place is not None and self._output_place < len(self._outputs):
            return self._output_place
        return min(self._output_gradients, default=0 if self._outputs else None)

    # -- beside the steps ----------------------------------------------------------------------------------------------

    def evaluation(self, *, dev: float, train: float | None = None) -> None:
        """Report the loss on data that is not trained on, and that on the training data if it is known."""
        point = EvaluationPoint(step=self.taken, dev=float(dev), train=None if train is None else float(train))
        self._evaluations.append(point)
        self._write("evaluation", point)

    def split(self, facts: SplitFacts) -> None:
        """Report what the training data and the held-out data have in common; see `backlight.health.compare_splits`."""
        self._split = facts
        self._write("split", facts)

    def measurements(self) -> Measurements:
        """Return everything that was measured so far."""
        return replace(
            self.facts(),
            interval=self.every,
            total_steps=self.taken,
            steps=tuple(one.record() for one in self._records),
            losses=self._losses.points(),
            evaluations=tuple(self._evaluations),
            split=self._split,
            probes=tuple(self._probes),
            first_nonfinite=self._first_nonfinite,
            not_measured=tuple(self._not_measured.values()),
        )

    def facts(self) -> Measurements:
        """Return what is known of the network besides its steps."""
        optimiser = self._optimisers.facts()
        return Measurements(
            framework=self.adapter.framework,
            source="watch",
            model=type(self.adapter.model).__name__,
            layers=self._layers.facts(),
            parameters=self._parameters.facts(None if optimiser is None else self._optimisers.group_of()),
            optimiser=optimiser,
            loss=self._loss,
        )


def named_inputs(adapter: Adapter, args: Any, kwargs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the tensors that a network is given, by place or keyword."""
    named = [*((str(at), one) for at, one in enumerate(args)), *kwargs.items()]
    found = [(name, list(adapter.tensors_in(one))) for name, one in named]
    return [
        (name if len(tensors) == 1 else f"{name}.{at}", tensor)
        for name, tensors in found
        for at, tensor in enumerate(tensors)
        if adapter.is_input(tensor)
    ]


def measurable_inputs(adapter: Adapter, inputs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the inputs that hold numbers with a scale, rather than ids."""
    return {name: one for name, one in inputs if adapter.why_not_measured(one) is None}


def input_makers(
    adapter: Adapter, inputs: Sequence[tuple[str, Any]], floats: Mapping[str, Any], layers: LayersMeasured
) -> list[Callable[[], InputRecord]]:
    """Return what makes the records of inputs: of all of a small one, of a few features of a large one."""
    places = {name: layers.input_at(at) for at, name in enumerate(floats)}
    made: list[Callable[[], InputRecord]] = []
    for name, tensor in inputs:
        step = max(1, math.ceil(math.prod(tensor.shape) / LATER))
        some = adapter.features(tensor, step)
        made.append(partial(input_record, name, some, tuple(tensor.shape), places.get(name)))
    return made
