"""The watcher of a network of ours: what it does at each call, each optimiser's step, and each step of the training."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from backlight.autograd import Tensor, no_grad
from backlight.autograd.graph import recording
from backlight.core import Array
from backlight.nn import Module
from backlight.optim.optimiser import Optimiser
from backlight.watch import LiveUnits, Watcher
from backlight.watch.ours.capture import Capture
from backlight.watch.ours.graph import LossGraph
from backlight.watch.ours.guard import Guard
from backlight.watch.ours.layers import layers_of, parameters_of
from backlight.watch.ours.nonfinite import first_nonfinite, forward_nonfinite
from backlight.watch.ours.parameters import Parameters
from backlight.watch.ours.sealing import Input, layer_numbers, output_numbers
from backlight.watch.records import LossFacts, Measurements, NonFinite, OptimiserFacts, Setting
from backlight.watch.step import Step, StepNumbers
from backlight.watch.watcher import EVERY, Sealed

_THOROUGH: Final = 4
"""Batch norms' statistics are compared at the first recorded step and every so many."""

_MAPS: Final = 10
"""Maps of units are drawn at the first recorded step and every so many."""

_SETTINGS: Final = ("lr", "momentum", "weight_decay", "eps", "nesterov")


class ModuleWatcher(Watcher):
    """Watches a network of ours; see `backlight.health.watch`.

    Args:
        model: the network.
        optimiser: what steps it; None if nobody says.
        every: from how many steps one is recorded, once the first few are over.
    """

    framework = "backlight"

    def __init__(self, model: Module, *, optimiser: Optimiser | None = None, every: int = EVERY) -> None:
        super().__init__(type(model).__name__, every=every)
        self._model = model
        self._optimiser = optimiser
        self._held = None if optimiser is None else {id(one) for one in optimiser.flat.tensors}
        self._optimiser_facts = None if optimiser is None else _facts_of(optimiser, model)
        self._layers = layers_of(model)
        self._capture = Capture(self._layers, self._on_backward)
        tensors = dict(model.named_parameters())
        self._parameters = Parameters(parameters_of(model, self._layers, held=self._held), list(tensors.values()))
        self._units = LiveUnits()
        self._loss: LossFacts | None = None
        self._reached: set[int] | None = None
        self._records = 0
        self._removers: list[Callable[[], None]] = []
        self._last_inputs: tuple[Any, ...] | None = None
        self._busy = False
        self._forget()

    # -- attaching and detaching ---------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._removers = [self._model.register_forward_hook(self._on_call)]
        self._watch_optimiser()

    def _watch_optimiser(self) -> None:
        if self._optimiser is not None:
            self._removers.append(self._optimiser.register_step_hook(self._before_update))

    def _stop(self) -> None:
        for remove in self._removers:
            remove()
        self._removers = []
        self._capture.detach()
        self._forget()
        self._last_inputs = None

    def _look(self) -> None:
        """Put the hooks on that a recorded step needs."""
        self._capture.attach()

    def _begin(self) -> None:
        self._forget()
        self._look()
        if not self._optimiser_steps:  # nobody may tell when the parameters are about to move
            self._parameters.remember()
        self._optimiser_steps = 0

    def _rest(self) -> None:
        self._forget()
        self._capture.detach()
        self._optimiser_steps = 0

    _optimiser_steps = 0

    def _forget(self) -> None:
        self._capture.clear()
        self._parameters.clear()
        self._given: tuple[Array, ...] = ()
        self._passes: dict[int, tuple[tuple[Any, ...], Tensor]] = {}
        self._left_over: float | None = None
        self._rate: tuple[float, ...] = ()

    # -- in the step ---------------------------------------------------------------------------------------------------

    def _on_call(self, module: Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        del module
        if self._busy or not recording.on:
            return
        self._last_inputs = inputs
        if self._recording:
            self._passes[self._capture.number] = inputs, out
            self._capture.number += 1

    def _on_backward(self) -> None:
        if self._left_over is None:
            self._left_over = self._parameters.left_over(self._held)

    def _before_update(self) -> None:
        self._optimiser_steps += 1
        if self._recording:
            if not self._rate and self._optimiser is not None:
                self._rate = (self._optimiser.lr,)
                self._parameters.remember()
            self._parameters.read_gradients()
        elif self._first_nonfinite is None:
            self._glance()

    def _glance(self) -> None:
        """Look at one gradient, in a step that is not recorded: what is not finite travels back to the first layer."""
        first = next((one._grad for one in self._parameters.tensors if one._grad is not None), None)
        if first is None or math.isfinite(float(first.sum())) or np.isfinite(first).all():
            return
        self._first_nonfinite = self.located()

    def located(self, run: Callable[[], Any] | None = None) -> NonFinite:
        """Run the model once more on its last batch and return the first layer that gave what is not finite.

        Args:
            run: runs it; None calls it with what it was given last.
        """
        for fact, one in zip(self._parameters.facts, self._parameters.tensors, strict=True):
            if not np.isfinite(one.array).all():
                return NonFinite(where=fact.name, direction="parameter", step=self.taken)
        again = run
        if again is None and self._last_inputs is not None:
            inputs = self._last_inputs
            again = partial(self._model, *inputs)
        found = None if again is None else self._run_again(again)
        if found is not None:
            return found
        tensors = zip(self._parameters.names, self._parameters.tensors, strict=True)
        strange = [name for name, one in tensors if one._grad is not None and not np.isfinite(one._grad).all()]
        return NonFinite(where=strange[-1] if strange else "loss", direction="backward", step=self.taken)

    def _run_again(self, run: Callable[[], Any]) -> NonFinite | None:
        capture = Capture(self._layers, lambda: None)
        capture.structure_known = capture.without_gradients = True
        self._busy = True
        try:
            with Guard(self._model), no_grad(), np.errstate(all="ignore"):
                capture.attach()
                run()
        finally:
            self._busy = False
            capture.detach()
        return forward_nonfinite(self.taken, capture.calls)

    def note_nonfinite(self, found: NonFinite) -> None:
        """Keep where a number first was not finite, if none is known yet."""
        self._first_nonfinite = self._first_nonfinite or found

    # -- the end of a step ---------------------------------------------------------------------------------------------

    def _value(self, loss: Any) -> float:
        if loss is None:
            return math.nan
        return float(loss.array.mean()) if isinstance(loss, Tensor) else float(loss)

    def _pass_over(self, loss: Any, value: float) -> None:
        if loss is not None and not math.isfinite(value) and self._first_nonfinite is None:
            self._first_nonfinite = NonFinite(where="loss", direction="loss", step=self.taken)

    def _seal(self, loss: Any, value: float) -> Sealed:
        with np.errstate(all="ignore"):
            return self._sealed(loss, value)

    def _sealed(self, loss: Any, value: float) -> Sealed:
        parameters = self._parameters
        calls = self._capture.finish()
        numbers = sorted({call.number for call in calls})
        given, out = self._passes.get(numbers[0] if numbers else 0, (self._given, None))
        inputs = _inputs(given) or _inputs(calls[0].inputs if calls else ())
        graph = LossGraph(loss, out) if isinstance(loss, Tensor) and loss.requires_grad else None
        if graph is not None and self._loss is None:
            self._loss, self._reached = graph.facts(), graph.reached
        parameters.read_gradients()
        if parameters.remembered:
            parameters.read_update()
        else:  # no step was taken where one was expected
            parameters.remember()
        layers = layer_numbers(
            calls, self._units, thorough=self._records % _THOROUGH == 0, maps=self._records % _MAPS == 0
        )
        self._records += 1
        sealed = parameters.sealed()
        if self._first_nonfinite is None:
            self._first_nonfinite = first_nonfinite(
                self.taken, 0.0 if loss is None else value, inputs=inputs, parameters=sealed, calls=calls, layers=layers
            )
        output = out if graph is None else graph.output
        judged = next((call for call in reversed(calls) if call.tensor is output), None)
        at = None if judged is None else layers.at(calls.index(judged))
        measured = StepNumbers(
            loss=value,
            layers=layers,
            parameters=sealed,
            inputs=inputs,
            output=output_numbers(output, graph, self._loss, None if judged is None else judged.gradient, at),
            lr=self._rate or (() if self._optimiser is None else (self._optimiser.lr,)),
            batch_size=next((len(one.array) for one in inputs if one.array.ndim), None),
            left_over=self._left_over,
            forward_passes=len(numbers),
            backward_passes=max((call.arrivals for call in calls), default=0),
            optimiser_steps=None if self._optimiser is None else self._optimiser_steps,
        )
        return Step(self.taken, measured)

    def _facts(self) -> Measurements:
        layers = sorted(self._layers.values(), key=lambda one: math.inf if one.depth is None else one.depth)
        reached = self._reached
        tensors = self._parameters.tensors
        parameters = parameters_of(self._model, self._layers, held=self._held)
        if reached is not None:
            pairs = zip(parameters, tensors, strict=True)
            parameters = [replace(fact, reached=id(one) in reached) for fact, one in pairs]
        return Measurements(
            framework="backlight",
            source="watch",
            model=self.model_name,
            layers=tuple(layer.facts() for layer in layers),
            parameters=tuple(parameters),
            optimiser=self._optimiser_facts,
            loss=self._loss,
        )


def _inputs(given: tuple[Any, ...]) -> list[Input]:
    """Return the arrays among what was given: ids, or the numbers of tensors."""
    arrays = [one.array if isinstance(one, Tensor) else one for one in given]
    return [Input(str(at), one) for at, one in enumerate(arrays) if isinstance(one, np.ndarray) and one.size]


def _facts_of(optimiser: Optimiser, model: Module) -> OptimiserFacts:
    settings: dict[str, Setting] = {name: getattr(optimiser, name) for name in _SETTINGS if hasattr(optimiser, name)}
    settings |= dict(zip(("beta1", "beta2"), getattr(optimiser, "betas", ()), strict=False))
    own = {id(one) for one in model.parameters()}
    foreign = sum(id(one) not in own for one in optimiser.flat.tensors)
    return OptimiserFacts(kind=type(optimiser).__name__, groups=(settings,), foreign=foreign)
