"""The watcher of a PyTorch network: what it does at each call, each optimiser's step, and each step of the training."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import torch
from torch.utils.hooks import RemovableHandle

from backlight.core import ConfigError
from backlight.watch import Watcher
from backlight.watch.records import LossFacts, Measurements, NonFinite, OptimiserFacts
from backlight.watch.step import Step, StepNumbers
from backlight.watch.torch.capture import Capture
from backlight.watch.torch.graph import LossGraph
from backlight.watch.torch.layers import Layers
from backlight.watch.torch.nonfinite import first_nonfinite, located, quickly_finite
from backlight.watch.torch.optimisers import Optimisers
from backlight.watch.torch.outputs import inputs_of, measurable, tensors_in
from backlight.watch.torch.parameters import Parameters
from backlight.watch.torch.sealing import Sealing, input_numbers, output_numbers
from backlight.watch.watcher import EVERY, Sealed

_THOROUGH: Final = 8
"""Batch norms' statistics are compared at the first recorded step and every so many."""

_MAPS: Final = 10
"""Maps of units are drawn at the first recorded step and every so many."""


class TorchWatcher(Watcher):
    """Watches any `torch.nn.Module`; see `backlight.health.watch`.

    Args:
        model: the network.
        optimisers: those that are known; others are found when they step.
        every: from how many steps one is recorded, once the first few are over.
        scaler: the gradient scaler, if the loss is scaled: gradients are recorded as if it was not.

    Raises:
        ConfigError: the model is compiled, which hides its layers.
    """

    framework = "torch"

    def __init__(
        self, model: torch.nn.Module, *, optimisers: Iterable[Any] = (), every: int = EVERY, scaler: Any = None
    ) -> None:
        super().__init__(type(model).__name__, every=every)
        if isinstance(model, torch._dynamo.OptimizedModule) or model._compiled_call_impl is not None:
            raise ConfigError(
                "a compiled module hides its layers from whoever watches; got one. Watch the module that you compiled, "
                "and train that for a few hundred steps."
            )
        self._model = model
        self._scaler = scaler
        self._layers = Layers(model)
        self._capture = Capture(self._layers)
        self._parameters = Parameters(model, self._layers.by_module)
        self._optimisers = Optimisers(
            self._parameters.tensors, optimisers, before=self._before_update, after=self._after_update
        )
        self._sealing = Sealing()
        self._loss: LossFacts | None = None
        self._class_axis = -1
        self._output_place: int | None = None  # of the judged output among all
        self._handles: list[RemovableHandle] = []
        self._records = 0
        self._return_handle: RemovableHandle | None = None
        self._last_call: tuple[Any, Any] | None = None
        self._stepped = False  # the optimiser has stepped, and step() was not told yet
        self._told = False  # step() was called by the user
        self._busy = False
        self._forget()

    # -- attaching and detaching ---------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._handles = [self._model.register_forward_pre_hook(self._on_call, with_kwargs=True)]
        self._optimisers.attach()

    def _stop(self) -> None:
        if self._stepped and not self._told:
            self._over(None)
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._look_away()
        self._optimisers.detach()
        self._forget()
        self._last_call = None

    def _begin(self) -> None:
        self._forget()
        if self._return_handle is None:  # after the hooks of the layers, of which the model itself may be one
            self._capture.attach()
            self._return_handle = self._model.register_forward_hook(self._on_return, always_call=True)
        if not self._optimisers.steps:  # nobody may tell when the parameters are about to move
            self._parameters.remember()
        self._optimisers.clear()

    def _rest(self) -> None:
        if self._return_handle is not None:
            self._forget()
            self._look_away()
        self._optimisers.clear()

    def _look_away(self) -> None:
        """Take off the hooks that only recorded steps need."""
        self._capture.detach()
        if self._return_handle is not None:
            self._return_handle.remove()
            self._return_handle = None

    def _forget(self) -> None:
        """Forget the step before."""
        self._capture.clear()
        self._parameters.clear()
        self._passes: dict[int, list[tuple[str, torch.Tensor]]] = {}
        self._outputs: list[torch.Tensor] = []
        self._output_gradients: dict[int, torch.Tensor] = {}
        self._left_over: float | None = None
        self._scale: float | None = None
        self._rates: tuple[float, ...] = ()
        self._backward_passes = 0

    def step(self, loss: Any = None) -> None:
        """Tell that a training step is over, after the optimiser's step; see `Watcher.step`."""
        self._told = True
        self._over(loss)

    def _over(self, loss: Any) -> None:
        self._stepped = False
        super().step(loss)

    # -- forward -------------------------------------------------------------------------------------------------------

    def _on_call(self, module: torch.nn.Module, args: Any, kwargs: Any) -> None:
        del module
        if self._busy or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return
        if self._stepped and not self._told:
            self._over(None)
        self._last_call = args, kwargs
        if self._recording:
            self._passes[self._capture.begin_pass()] = inputs_of(args, kwargs)

    def _on_return(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        del module, args
        if self._busy or torch.compiler.is_compiling():
            return
        self._capture.end_pass()
        if not torch.is_grad_enabled():
            return
        is_first = True
        for tensor in tensors_in(output):
            if not tensor.ndim or not measurable(tensor):  # a single number is a loss, not what it is made of
                continue
            if tensor.requires_grad and not tensor.is_leaf:
                # the hook must not hold the tensor: the two would keep each other, and the whole graph, alive
                hook = partial(self._on_gradient, len(self._outputs), is_first)
                tensor.register_hook(hook)  # type: ignore[no-untyped-call]
                is_first = False
            self._outputs.append(tensor)

    # -- backward and the optimiser ------------------------------------------------------------------------------------

    def _on_gradient(self, place: int, is_first: bool, gradient: torch.Tensor) -> None:
        if self._left_over is None:
            self._left_over = self._parameters.left_over(self._optimisers)
            self._scale = None if self._scaler is None else float(self._scaler.get_scale())
        self._backward_passes += is_first
        self._output_gradients[place] = gradient

    def _before_update(self, optimiser: Any) -> None:
        if self._busy:
            return
        if not self._recording:
            if self._first_nonfinite is None:
                self._glance_at_gradients()
            return
        if not self._rates:
            self._rates = self._optimisers.rates()
            self._parameters.remember()
        scale = getattr(optimiser, "grad_scale", None)  # of a fused step, which unscales by itself
        self._parameters.read_gradients(self._optimisers.places(optimiser), 1.0 if scale is None else float(scale))

    def _after_update(self, optimiser: Any) -> None:
        del optimiser
        self._stepped = True

    def _glance_at_gradients(self) -> None:
        """Look at one gradient, in a step that is not recorded: what is not finite travels back to the first layer.

        The optimiser has not stepped yet, so the model can be run again on the same batch with the same weights.
        """
        parameters = self._parameters
        first = next((one.grad for one in parameters.tensors if one.grad is not None), None)
        if first is None or first.is_sparse or first.device.type != "cpu" or quickly_finite(first):
            return
        self._busy = True
        try:
            args, kwargs = self._last_call or ((), {})
            self._first_nonfinite = located(self._model, self._layers, parameters, args, kwargs, self.taken)
        finally:
            self._busy = False

    # -- the end of a step ---------------------------------------------------------------------------------------------

    def _value(self, loss: Any) -> float:
        if isinstance(loss, torch.Tensor):
            return float(loss.item() if loss.numel() == 1 else loss.detach().mean())
        return float("nan") if loss is None else float(loss)

    def _pass_over(self, loss: Any, value: float) -> None:
        if loss is not None and not math.isfinite(value) and self._first_nonfinite is None:
            self._first_nonfinite = NonFinite(where="loss", direction="loss", step=self.taken)

    def _seal(self, loss: Any, value: float) -> Sealed:
        parameters, capture = self._parameters, self._capture
        structure_new = not capture.structure_known
        calls = capture.finish()
        graph = self._graph(loss) if structure_new or self._loss is None else None
        self._rates = self._rates or self._optimisers.rates()
        parameters.read_gradients()
        if not parameters.remembered:  # no step was taken where one was expected
            parameters.remember()
        else:
            parameters.read_update()
        place = self._judged_output(graph)
        output = None if place is None else self._outputs[place]
        numbers = sorted({call.number for call in calls} & self._passes.keys()) or sorted(self._passes)
        inputs = self._passes[numbers[0]] if numbers else []
        floats = {name: tensor for name, tensor in inputs if measurable(tensor)}
        layers = self._sealing.measure(
            calls, list(floats.values()), output,
            thorough=self._records % _THOROUGH == 0, maps=self._records % _MAPS == 0,
        )  # fmt: skip
        self._records += 1
        sealed = parameters.sealed()
        if self._first_nonfinite is None and (self._scaler is None or self._optimisers.steps):
            self._first_nonfinite = first_nonfinite(
                self.taken,
                0.0 if loss is None else value,
                parameters=sealed,
                calls=calls,
                layers=layers,
                inputs=list(floats),
            )
        places = dict(zip(floats, layers.inputs, strict=True))
        gradient = None if place is None else self._output_gradients.get(place)
        if gradient is not None and self._scale:
            gradient = gradient / self._scale
        measured = StepNumbers(
            loss=value,
            layers=layers,
            parameters=sealed,
            inputs=[input_numbers(name, tensor, places.get(name)) for name, tensor in inputs],
            output=None
            if output is None or layers.output is None
            else output_numbers(output, gradient, layers.output, self._loss, self._class_axis),
            lr=self._rates,
            batch_size=next((tensor.shape[0] for _, tensor in inputs if tensor.ndim), None),
            left_over=self._left_over,
            forward_passes=len(numbers),
            backward_passes=self._backward_passes,
            optimiser_steps=self._optimisers.steps if self._optimisers.found else None,
            scale=self._scale,
        )
        return Step(self.taken, measured)

    def _graph(self, loss: Any) -> LossGraph | None:
        """Read the graph of the first loss that has one."""
        if not isinstance(loss, torch.Tensor) or loss.grad_fn is None:
            return None
        graph = LossGraph(loss, self._outputs)
        self._loss = graph.facts()
        if graph.output is not None:
            self._class_axis = graph.class_axis()
        self._parameters.reached = graph.reached
        return graph

    def _judged_output(self, graph: LossGraph | None) -> int | None:
        """Return the place of the output that the loss was made of; without a graph, of one that a gradient came to."""
        if graph is not None and graph.output is not None:
            self._output_place = next(at for at, one in enumerate(self._outputs) if one is graph.output)
        if self._output_place is not None and self._output_place < len(self._outputs):
            return self._output_place
        return min(self._output_gradients, default=0 if self._outputs else None)

    def _facts(self) -> Measurements:
        optimiser: OptimiserFacts | None = self._optimisers.facts()
        return Measurements(
            framework="torch",
            source="watch",
            model=self.model_name,
            layers=self._layers.facts(),
            parameters=self._parameters.facts(None if optimiser is None else self._optimisers.group_of()),
            optimiser=optimiser,
            loss=self._loss,
        )
