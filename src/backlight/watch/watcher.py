"""The watcher: what it does at each call of a network, each optimiser's step, and each step of the training."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial, wraps
from types import TracebackType
from typing import Any, Self

import numpy as np

from backlight.core import ConfigError
from backlight.watch.adapter import Adapter, Remove
from backlight.watch.capture import Capture
from backlight.watch.graph import breaking_op, mean_of_nothing
from backlight.watch.guide import Guide
from backlight.watch.layers import Layers, never_seen
from backlight.watch.nonfinite import first_nonfinite, locate
from backlight.watch.parameters import Parameters
from backlight.watch.passes import Inputs, Passes, input_makers, measurable, named_inputs
from backlight.watch.records import (
    EvaluationInput,
    EvaluationPoint,
    LossPoint,
    Measurements,
    NonFinite,
    NotMeasured,
    SplitFacts,
    TextRecord,
)
from backlight.watch.relation import MOST_FEATURES, Examples
from backlight.watch.schedule import (
    EVERY,
    MAPS_EVERY,
    MOST_EVALUATIONS,
    STATISTICS_EVERY,
    LossSeries,
    Records,
    is_kept,
    is_loss_kept,
    is_recorded,
    recorded_before,
)
from backlight.watch.step import LATER, OutputMeasured, RecordedStep, StepMeasurer
from backlight.watch.stream import SCHEMA, End, Start, Stream, StreamWriter
from backlight.watch.structure import Structure


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
        self._capture = Capture(
            adapter, self._layers, on_arrival=self._on_arrival, on_call=self._on_part, on_error=self._give_up
        )
        self._passes = Passes(adapter)
        self._parameters = Parameters(adapter, self._layers)
        self._structure = Structure(adapter.tables())
        self._guide = Guide(adapter, self._give_up)
        self._optimisers = adapter.optimisers(
            self._parameters.tensors, optimisers, before=self._before_update, after=self._after_update
        )
        self._measurer = StepMeasurer(adapter)
        self._records: Records[RecordedStep] = Records(every)
        self._losses = LossSeries()
        self._evaluations: list[EvaluationPoint] = []
        self._texts: list[TextRecord] = []
        self._evaluation_inputs: list[EvaluationInput] = []
        self._split: SplitFacts | None = None
        self._examples = Examples()
        self._first_nonfinite: NonFinite | None = None
        self._loss_nonfinite: NonFinite | None = None
        self._not_measured = {one.what: one for one in self._parameters.not_measured}
        self._writer = StreamWriter(stream, partial(self._note, "the record stream"))
        self._end: Remove = _nothing
        self._remove_call: Remove = _nothing
        self._remove_return: Remove = _nothing
        self._remove_part: Remove = _nothing
        self._remove_load: Remove = _nothing
        self._restored_itself: int | None = None
        self._last_call: tuple[Any, Any] | None = None
        self._watching = self._recording = False
        self._stepped: list[Any] = []  # the optimisers that have stepped since a step of the training began
        self._called = False  # the network itself was called, and not only its parts
        self._reported = False  # `step` is called by the user
        self._busy = False  # the network is run by the watcher itself
        self._forget()

    # -- beginning and ending ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._watching = True
        self._end = self.adapter.begin()
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
        self._remove_call()
        self._remove_load()
        self._remove_part()
        self._detach()
        self._optimisers.detach()
        self._end()
        self._forget()
        self._last_call = None
        if self._first_nonfinite is None:
            self.note_nonfinite(self._loss_nonfinite)
        if self._restored_itself is not None:  # after the last recorded step, as a rule
            self._writer.write_network(self.facts(), self.taken)
        self._writer.write("end", End(step=self.taken))
        self._writer.close()

    def _start(self) -> None:
        """Attach what watches all steps."""
        self._remove_call = self.adapter.hook_call(self._on_call)
        self._remove_load = self.adapter.hook_load(self._on_load)
        self._optimisers.attach()

    def _begin_stream(self) -> None:
        kind = type(self.adapter.model).__name__
        start = Start(schema=SCHEMA, framework=self.adapter.framework, source="watch", model=kind, interval=self.every)
        self._writer.write("start", start)
        for one in self._not_measured.values():
            self._writer.write("not_measured", one)

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
        if not self._structure.is_unchanged():
            self._renew()
        self._is_dirty = True
        index = recorded_before(self.taken, self.every)
        self._capture.wanted.statistics = index % STATISTICS_EVERY == 0
        self._capture.wanted.maps = index % MAPS_EVERY == 0
        self._attach()
        if not self._optimisers.steps:  # nobody may say when the parameters are about to move
            self._parameters.remember()

    def _renew(self) -> None:
        """Watch the modules and parameters that the network has now: some were replaced."""
        self._detach()
        self._structure = Structure(self.adapter.tables())
        self._layers.find()
        self._capture.structure_known = False
        self._renew_parameters()
        self._passes.forget_loss()

    def _renew_parameters(self) -> None:
        self._parameters = Parameters(self.adapter, self._layers, before=self._parameters, step=self.taken)
        self._optimisers.set_parameters(self._parameters.tensors)

    def _attach(self) -> None:
        """Put on the hooks that a recorded step needs."""
        if self._capture.attach():
            self._remove_return()  # it must come after the layers' hooks: the network itself may be a layer
            self._remove_return = self.adapter.hook_return(self._on_return)
            self._guide.attach(self._parameters.tensors)

    def _detach(self) -> None:
        self._capture.detach()
        self._remove_return()
        self._guide.detach()
        self._remove_return = _nothing

    def _forget(self) -> None:
        """Forget the step before."""
        self._is_dirty = False
        self._capture.clear()
        self._passes.clear()
        self._parameters.clear()
        self._left_over: float | None = None
        self._scale: float | None = None
        self._rates: tuple[float, ...] = ()
        self._swapped: list[str] = []
        self._guide.clear()

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def _give_up(self, error: Exception) -> None:
        """Note that this step cannot be recorded, and leave it alone."""
        reason = next(iter(str(error).strip().splitlines()), "no message")
        self._note(f"step {self.taken}", f"{type(error).__name__}: {reason:.200}", of="this step")
        self._recording = False
        self._forget()
        self._detach()

    def _note(self, what: str, because: str, *, of: str = "") -> None:
        key = f"{of or what}: {because}"
        if key not in self._not_measured:
            self._not_measured[key] = NotMeasured(what=what, because=because, step=self.taken)
            self._writer.write("not_measured", self._not_measured[key])

    def note_nonfinite(self, found: NonFinite | None) -> None:
        """Keep where a number first was not finite, if that is not known yet."""
        if found is not None and self._first_nonfinite is None:
            self._first_nonfinite = found
            self._writer.write("not_finite", found)

    def _take_nonfinite(self, found: NonFinite | None) -> None:
        """Take in where a recorded step was not finite."""
        if found is not None and found.direction == "loss":
            self._loss_nonfinite = self._loss_nonfinite or found  # gradients and weights are: nothing is lost yet
            return
        if found is not None and found.direction == "forward":
            again = self.locate()
            found = replace(found, op=again.op, at=again.at) if again.direction == "forward" else found
        self.note_nonfinite(found)

    # -- in the step ---------------------------------------------------------------------------------------------------

    def _on_call(self, args: Any, kwargs: Any) -> None:
        if self._busy:
            return
        if not self.adapter.is_recording():
            self._on_evaluation_call(args, kwargs)
            return
        if self._stepped and not self._reported:
            self._end_step(None, None)
        self._last_call = args, kwargs
        if self._recording:
            self._on_recorded_call(args, kwargs)

    @_harmless
    def _on_evaluation_call(self, args: Any, kwargs: Any) -> None:
        """Measure what is read without gradients: of the first call between two steps, a few times in a training."""
        known = self._evaluation_inputs
        if self.adapter.is_transformed() or len(known) >= MOST_EVALUATIONS or (known and known[-1].step == self.taken):
            return
        for name, tensor in measurable(self.adapter, named_inputs(self.adapter, args, kwargs)).items():
            x = self.adapter.features(tensor, -(-math.prod(tensor.shape) // LATER)).astype(np.float64)
            if x.size:
                known.append(EvaluationInput(step=self.taken, name=name, mean=float(x.mean()), std=float(x.std())))

    def _on_load(self) -> None:
        if self.taken or self._stepped:  # before the first step there is nothing to restore
            self._restored_itself = self.taken

    @_harmless
    def _on_recorded_call(self, args: Any, kwargs: Any) -> None:
        self._called = True
        if self.adapter.is_transformed():
            self._note("the layers", "the network is run inside a transformation (torch.func, a compiler, a tracer)")
            return
        if not self._swapped and not self._structure.is_unchanged():
            self._swapped = self._parameters.swapped()
        self._capture.begin_pass()
        self._passes.inputs[self._capture.number] = named_inputs(self.adapter, args, kwargs)

    @_harmless
    def _on_part(self, module: Any) -> None:
        """Look whether a step of the training begins: of a network that is called by its parts, nothing else tells."""
        if not self._called and self._stepped and not self._reported and not self._busy:
            self._remove_part()
            self._remove_part = self.adapter.hook_call(self._on_part_call, module)
            self._end_step(None, None)

    def _on_part_call(self, args: Any, kwargs: Any) -> None:
        del args, kwargs
        if not self._busy and self.adapter.is_recording() and self._stepped and not self._reported:
            self._end_step(None, None)

    @_harmless
    def _on_return(self, output: Any) -> None:
        if self._busy or not self._recording or not self.adapter.is_recording() or self.adapter.is_transformed():
            return
        self._capture.end_pass()
        if self._recording:  # nothing has gone wrong in the pass
            self._passes.take_output(output, self._on_gradient)

    @_harmless
    def _on_gradient(self, place: int, is_first: bool, gradient: Any) -> None:
        self._on_arrival()
        if is_first and self._left_over:
            # gradients of the loss by its inputs may be taken before the others are zeroed: the last pass counts
            self._left_over = min(self._left_over, self._parameters.left_over(self._optimisers.group_of))
        self._passes.take_gradient(place, is_first, gradient)

    def _on_arrival(self) -> None:
        """Look at what stands in the parameters' gradients when the step's first backward pass begins."""
        if self._left_over is None and self._recording:
            self._left_over = self._parameters.left_over(self._optimisers.group_of)
            self._scale = self.adapter.loss_scale()

    def _before_update(self, optimiser: Any) -> None:
        if optimiser in self._stepped and not self._reported:
            self._end_step(None, None)  # nobody has told of a step, and no call has shown that one began
        if self._first_nonfinite is None:
            self._check_gradients()
        if self._recording:
            self._before_recorded_update(optimiser)

    @_harmless
    def _before_recorded_update(self, optimiser: Any) -> None:
        if self._busy:
            return
        if self._swapped and not self._structure.is_unchanged():  # for good: they were replaced since the last step
            self._swapped = []
            self._renew_parameters()
        parameters, scale = self._parameters, self.adapter.step_scale(optimiser)
        own = self._optimisers.places(optimiser)
        is_only, is_first = len(own) == len(parameters.tensors), not self._rates
        at_once = is_first and is_only and scale == 1
        if is_first:
            self._rates = self._optimisers.rates()
            parameters.remember(gradients=at_once)
        if not at_once:
            parameters.read_gradients(own, scale)
        if is_first and not is_only:  # the gradients of what this optimiser has not may be gone after its step
            parameters.read_gradients(None, self._scale or 1.0)
        self._guide.read([parameters.tensors[at] for at in own], scale)

    def _after_update(self, optimiser: Any) -> None:
        self._stepped.append(optimiser)

    @_harmless
    def _check_gradients(self) -> None:
        """Look at one gradient before a step: what is not finite travels back to the first layer.

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
        self._stepped = []
        self._called = False
        if self._recording:
            self._record(loss, value)
        if value is not None:
            self._losses.add(self.taken, value)
            if not math.isfinite(value) and self._loss_nonfinite is None:
                self._loss_nonfinite = NonFinite(where="loss", direction="loss", step=self.taken)
            if self._writer.is_open and is_loss_kept(self.taken):
                self._writer.write("loss", LossPoint(step=self.taken, loss=value))
        if loss is not None and (self._first_nonfinite or self._loss_nonfinite):
            self._name_operation(loss, value)
        self.taken += 1
        self._prepare()

    @_harmless
    def _name_operation(self, loss: Any, value: float | None) -> None:
        """Find the operation in the loss, where nothing in the network gave what is not finite in this step."""

        def named(first: NonFinite | None) -> NonFinite | None:
            if first is None or first.step != self.taken or first.op or first.direction not in {"backward", "loss"}:
                return first
            is_nan = value is not None and math.isnan(value)
            op, at = breaking_op(self.adapter, loss), "" if is_nan else "zero"
            if not op and is_nan:
                op, at = mean_of_nothing(self.adapter, loss), "nothing"
            if not op:
                return first
            direction: Any = "backward" if value is None or math.isfinite(value) else "loss"
            return replace(first, where="loss", direction=direction, op=op, at=at)

        first, self._loss_nonfinite = self._first_nonfinite, named(self._loss_nonfinite)
        self._first_nonfinite = named(first)
        if self._first_nonfinite is not None and self._first_nonfinite is not first:
            self._writer.write("not_finite", self._first_nonfinite)

    @_harmless
    def _record(self, loss: Any, value: float | None) -> None:
        with np.errstate(all="ignore"):
            made = self._measured(loss, value)
        self._records.add(made)
        if self._writer.is_open and is_kept(made.step, self.every):
            self._writer.write_network(self.facts(), made.step)
            self._writer.write("step", made.record())

    def _measured(self, loss: Any, value: float | None) -> RecordedStep:
        if self._swapped:
            self._leave_out(self._swapped)
        adapter, parameters, passes = self.adapter, self._parameters, self._passes
        is_new = not self._capture.structure_known
        calls = self._capture.finish()
        passes.read_loss(loss, self.taken, anew=is_new)
        self._rates = self._rates or self._optimisers.rates()
        parameters.read_gradients()
        if parameters.remembered:
            parameters.read_update()
        else:  # no step was taken where one was expected
            parameters.remember()
        output, gradient = passes.output(calls)
        inputs = passes.given(calls)
        floats = measurable(adapter, inputs)
        layers = self._measurer.layers(calls, list(floats.values()), output, self._capture.wanted)
        measured = parameters.measured()
        if self._first_nonfinite is None and (self._scale is None or self._optimisers.steps):
            found = first_nonfinite(
                adapter, self.taken, value, inputs=list(floats), parameters=measured, calls=calls, layers=layers
            )
            self._take_nonfinite(found)
        facts = {
            "loss": value,
            "lr": self._rates,
            "batch_size": next((one.shape[0] for _, one in inputs if one.shape), None),
            "left_over_norm": self._left_over,
            "detached": passes.detached,
            "forward_passes": len({call.number for call in calls}) if calls else len(passes.inputs),
            "backward_passes": max([passes.backward, *[call.arrivals for call in calls]]),
            "optimiser_steps": self._optimisers.steps if self._optimisers.found else None,
            "scale": self._scale,
            "backward_norm": self._guide.backward_norm,
            "step_norm": self._guide.step_norm,
            "pass_share": passes.share(output, gradient, self._scale),
        }
        made = input_makers(adapter, inputs, floats, layers)
        about = passes.about(output, gradient, layers, inputs, self._scale)
        self._take_examples(inputs, about)
        return RecordedStep(self.taken, layers=layers, parameters=measured, inputs=made, output=about, facts=facts)

    def _leave_out(self, names: list[str]) -> None:
        """Measure no more what the network does not use: it was called with other tensors in their place."""
        if not self._structure.is_unchanged():
            return  # they were replaced for good, which the next recorded step finds
        for name in names:
            self._note(name, "the network was called with another tensor in its place, as functional_call does")
        self._parameters.leave_out(names)
        self._optimisers.set_parameters(self._parameters.tensors)

    def _take_examples(self, inputs: Inputs, about: OutputMeasured | None) -> None:
        """Keep inputs and targets of the first recorded steps."""
        targets = None if about is None or self._examples.is_full or not inputs else about.asked()
        x = inputs[0][1] if inputs else None
        if targets is None or x is None or not x.shape or x.shape[0] != len(targets):
            return
        step = max(1, -(-math.prod(x.shape[1:]) // MOST_FEATURES))
        some = self.adapter.features(x, step)
        if some.shape[:1] == targets.shape[:1]:
            self._examples.add(some, targets)

    # -- beside the steps ----------------------------------------------------------------------------------------------

    def evaluation(self, *, dev: float, train: float | None = None) -> None:
        """Report the loss on data that is not trained on, and that on the training data if it is known."""
        point = EvaluationPoint(step=self.taken, dev=float(dev), train=None if train is None else float(train))
        self._evaluations.append(point)
        self._writer.write("evaluation", point)

    def text(self, record: TextRecord) -> None:
        """Report what a language model makes of one text."""
        self._texts.append(record)
        self._writer.write("text", record)

    def split(self, facts: SplitFacts) -> None:
        """Report what the training data and the held-out data have in common; see `backlight.health.compare_splits`."""
        self._split = facts
        self._writer.write("split", facts)

    def measurements(self) -> Measurements:
        """Return everything that was measured so far."""
        facts, steps = self.facts(), tuple(one.record() for one in self._records)
        pulled = {one.name for step in steps for one in step.parameters if one.gradient is not None}
        return replace(
            facts,
            interval=self.every,
            total_steps=self.taken,
            steps=steps,
            losses=self._losses.points(),
            evaluations=tuple(self._evaluations),
            texts=tuple(self._texts),
            evaluation_inputs=tuple(self._evaluation_inputs),
            split=self._split,
            relation=self._examples.relation(),
            first_nonfinite=self._first_nonfinite or self._loss_nonfinite,
            not_measured=(*self._not_measured.values(), *never_seen(facts.layers, pulled)),
        )

    def facts(self) -> Measurements:
        """Return what is known of the network besides its steps."""
        optimiser = self._optimisers.facts()
        groups = None if optimiser is None else self._optimisers.group_of()
        loss, others = self._passes.loss, self._passes.others
        if loss is not None and others is not None:
            loss = replace(loss, unstepped=others.unstepped(self.taken))
        return Measurements(
            framework=self.adapter.framework,
            source="watch",
            model=type(self.adapter.model).__name__,
            layers=self._layers.facts(),
            parameters=self._parameters.facts(groups, self._passes.reached),
            optimiser=optimiser,
            loss=loss,
            restored_itself=self._restored_itself,
        )
