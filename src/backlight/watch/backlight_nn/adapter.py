"""What the watching mechanism must know of this package's networks."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final

import numpy as np

from backlight.autograd import Parameter, Tensor, cross_entropy, mse
from backlight.autograd.graph import recording
from backlight.core import Array, Batch, ConfigError
from backlight.models.neural import NeuralModel
from backlight.nn import Module
from backlight.nn.kind import OTHER, Kind
from backlight.optim.optimiser import Optimiser
from backlight.watch.adapter import Adapter, BatchView, Hook, LayerDescription, Remove
from backlight.watch.backlight_nn.optimisers import BacklightOptimisers
from backlight.watch.backlight_nn.tensors import BacklightGraph, BacklightTensors
from backlight.watch.calls import Call, CallTaker, WatchedLayer
from backlight.watch.kinds import kind_of

_HAS_BIAS: Final = {"linear", "convolution", "batch_norm", "norm", "recurrent"}


class BacklightAdapter(BacklightTensors, BacklightGraph, Adapter):
    """A `backlight.nn.Module`."""

    framework = "backlight"
    in_place = False
    model: Module

    # -- modules -------------------------------------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        return self.model.named_modules()

    def named_parameters(self) -> dict[str, Any]:
        return dict(self.model.named_parameters())

    def owned(self, module: Any) -> Mapping[str, Any]:
        return {name: part for name, part in module.parts() if isinstance(part, Parameter)}

    def kind(self, module: Any) -> Kind:
        declared: Kind = module.layer_kind
        return declared if declared is not OTHER else kind_of(base.__name__ for base in type(module).__mro__)

    def is_layer(self, name: str, module: Any, kind: Kind) -> bool:
        if kind.role in {"container", "attention"}:  # what attention is made of are layers themselves
            return False
        return kind is not OTHER or bool(self.owned(module)) or next(module.children(), None) is None

    def describe(self, layer: WatchedLayer) -> LayerDescription:
        own, role = self.owned(layer.module), layer.kind.role
        weights = [one.shape for one in own.values() if len(one.shape) > 1]
        fan_in = fan_out = None
        if weights and role in {"linear", "convolution", "recurrent"}:
            # weights are (..., inputs, outputs); a recurrent layer has one of the input and one of the state
            fan_in = sum(int(np.prod(shape[:-1])) for shape in weights)
            fan_out = weights[-1][0] if role == "recurrent" else weights[-1][-1]
        named = [(name, getattr(layer.module, name, None)) for name in layer.kind.settings]
        return LayerDescription(
            parameters=tuple(f"{layer.name}.{name}" if layer.name else name for name in own),
            bias=any(name.startswith("bias") for name in own) if role in _HAS_BIAS else None,
            fan_in=fan_in,
            fan_out=fan_out,
            settings={name: value for name, value in named if isinstance(value, (int, float, str))},
        )

    def channel_axis(self, layer: WatchedLayer | None, shape: Sequence[int], inherited: int | None) -> int:
        return len(shape) - 1

    # -- parameters ----------------------------------------------------------------------------------------------------

    def gradients(self, parameters: Sequence[Any]) -> list[Any]:
        return [one._grad for one in parameters]

    def norm(self, gradients: Sequence[Any]) -> float:
        squares = [float(np.sum(np.square(one, dtype=np.float64))) for one in gradients]
        return float(np.sqrt(sum(squares))) if all(squares) else 0.0

    def fan_in(self, parameter: Any, owner: Any) -> int | None:
        return int(np.prod(parameter.shape[:-1]))

    def identical_units(self, weight: Any) -> bool | None:
        x = weight.array
        if x.shape[-1] < 2:
            return None
        return bool((x[..., 0] == x[..., 1]).all()) and bool((x == x[..., :1]).all())

    def equal(self, one: Any, other: Any) -> bool:
        a, b = one.array, other.array
        return bool((a != a.flat[0]).any()) and np.array_equal(a, b)

    def check_optimisers(self, optimisers: Sequence[Any]) -> None:
        wrong = [one for one in optimisers if not isinstance(one, Optimiser)]
        if wrong:
            raise ConfigError(
                f"a network of Backlight needs an optimiser of backlight.optim; got a {type(wrong[0]).__name__}."
            )

    def optimisers(
        self, parameters: Sequence[Any], known: Iterable[Any], *, before: Callable[[Any], None],
        after: Callable[[Any], None],
    ) -> BacklightOptimisers:  # fmt: skip
        return BacklightOptimisers(parameters, known, before)

    def looks_broken(self, parameters: Sequence[Any]) -> bool:
        gradients = [one._grad for one in parameters if one._grad is not None]
        ends = (gradients[0], gradients[-1]) if gradients else ()
        return any(not math.isfinite(float(one.sum())) and not np.isfinite(one).all() for one in ends)

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def is_recording(self) -> bool:
        return recording.on

    def is_parameter(self, tensor: Any) -> bool:
        return isinstance(tensor, Parameter)

    def hook_layer(self, layer: WatchedLayer, capture: CallTaker) -> Remove:
        remove: Remove = layer.module.register_forward_hook(Hook(_on_layer, layer, capture))
        return remove

    def hook_call(self, hook: Callable[[Any, Any], None], module: Any = None) -> Remove:
        return (self.model if module is None else module).register_forward_hook(Hook(_on_call, hook))

    def hook_return(self, hook: Callable[[Any], None]) -> Remove:
        return self.model.register_forward_hook(Hook(_on_return, hook))

    def await_gradient(self, call: Call, capture: CallTaker, *, at_once: bool) -> None:
        if self.awaits_gradient(call.tensor):
            call.tensor.register_hook(partial(capture.on_gradient, call))

    def hook_gradient(self, tensor: Any, hook: Callable[[Any], None]) -> None:
        tensor.register_hook(hook)

    # -- one batch, and everything as it was ---------------------------------------------------------------------------

    def undo_list(self) -> Iterator[tuple[str, Callable[[], None]]]:
        model = self.model
        for rng in model.generators():
            yield "random numbers", partial(setattr, rng.bit_generator, "state", copy.deepcopy(rng.bit_generator.state))
        for name, one in [*model.named_parameters(), *model.named_buffers()]:
            yield name, partial(_put_back, one, one.array.copy(), one._grad, copied(one._grad))
        for name, module in model.named_modules():
            yield name, partial(_set_mode, module, vars(module).get("training"))

    def clear_gradients(self) -> None:
        for parameter in self.model.parameters():
            parameter._grad = None

    def set_mode(self, *, training: bool) -> None:
        self.model.train(training)

    def recording(self, *, on: bool) -> AbstractContextManager[Any]:
        return _recording(on=on)

    def backward(self, loss: Any) -> None:
        loss.backward()

    def batch(self, inputs: Any, targets: Any, loss: Any) -> BatchView:
        if isinstance(inputs, Batch):
            inputs, targets = inputs.x, inputs.y
        elif targets is None and isinstance(inputs, (tuple, list)) and len(inputs) == 2:
            inputs, targets = inputs
        as_tensor = isinstance(inputs, Tensor)
        x = np.asarray(self.values(inputs))
        y = None if targets is None else np.asarray(self.values(targets))
        if x.ndim and not len(x):
            raise ConfigError(f"a batch must have at least one example; got inputs of shape {x.shape}.")

        def run(other: Array | None) -> Any:
            array = x if other is None else other
            return self.model(Tensor(array) if as_tensor or array.dtype.kind == "f" else array)

        return BatchView(run=run, loss=partial(self._loss, loss, x, y), args=(x,), kwargs={}, x=x, y=y)

    def _loss(self, loss: Any, x: Array, y: Array | None, out: Any) -> Any:
        if y is None:
            return None
        if loss is not None:
            return loss(out, y)
        if isinstance(self.model, NeuralModel):
            return self.model.loss(Batch(x, y))
        return cross_entropy(out, y) if y.dtype.kind in "iu" else mse(out, y.reshape(out.shape))

    def output_of(self, result: Any) -> Any:
        return next((one for one in self.tensors_in(result) if self.why_not_measured(one) is None), None)


def _on_layer(layer: WatchedLayer, capture: CallTaker, module: Module, inputs: Any, output: Any) -> None:
    try:
        capture.on_module(layer, module, inputs, output)
    except Exception as error:  # noqa: BLE001  (it is shown as "not measured")
        capture.failed(error)


def _on_call(hook: Callable[[Any, Any], None], module: Module, inputs: Any, output: Any) -> None:
    del module, output
    hook(inputs, {})


def _on_return(hook: Callable[[Any], None], module: Module, inputs: Any, output: Any) -> None:
    del module, inputs
    hook(output)


def copied(array: Array | None) -> Array | None:
    """Return a copy of an array, if it is one."""
    return None if array is None else array.copy()


def _put_back(tensor: Any, array: Array, gradient: Array | None, numbers: Array | None) -> None:
    tensor.array[...] = array
    if gradient is not None:  # it may lie in a flat array, where another was written over it
        gradient[...] = numbers
    tensor._grad = gradient


def _set_mode(module: Module, training: bool | None) -> None:
    if training is not None:
        module.training = training
    elif "training" in vars(module):  # it had that of its class
        del module.training


@contextmanager
def _recording(*, on: bool) -> Iterator[None]:
    before = recording.on
    recording.on = on
    try:
        yield
    finally:
        recording.on = before
