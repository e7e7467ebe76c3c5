"""Watching a network of this package."""

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
from backlight.watch import numbers
from backlight.watch.adapter import Adapter, BatchView, Hook, LayerDescription, Remove
from backlight.watch.capture import Call, Capture
from backlight.watch.kinds import kind_of
from backlight.watch.layers import Layer
from backlight.watch.numbers import Block
from backlight.watch.records import OptimiserFacts, Setting

_HAS_BIAS: Final = {"linear", "convolution", "batch_norm", "norm", "recurrent"}
_LOSSES: Final = {"cross_entropy": "cross_entropy", "mse": "mse"}
_OPTIMISER_SETTINGS: Final = ("lr", "momentum", "weight_decay", "eps", "nesterov")


class BacklightAdapter(Adapter):
    """A `backlight.nn.Module`."""

    framework = "backlight"
    in_place = False
    shape_ops = frozenset({"reshape", "permute", "expand", "index", "cat", "stack"})
    reads_every_graph = True

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

    def describe(self, layer: Layer) -> LayerDescription:
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

    def channel_axis(self, layer: Layer | None, shape: Sequence[int], inherited: int | None) -> int:
        return len(shape) - 1

    # -- parameters ----------------------------------------------------------------------------------------------------

    def gradients(self, parameters: Sequence[Any]) -> list[Any]:
        return [one._grad for one in parameters]

    def norm(self, gradients: Sequence[Any]) -> float:
        squares = [float(np.sum(np.square(one, dtype=np.float64))) for one in gradients]
        return float(np.sqrt(sum(squares))) if all(squares) else 0.0

    def fan_in(self, parameter: Any, owner: Any) -> int | None:
        return int(np.prod(parameter.shape[:-1]))

    def has_identical_units(self, weight: Any) -> bool:
        x = weight.array
        return bool((x[..., 0] == x[..., 1]).all()) and bool((x == x[..., :1]).all())

    def units_of(self, weight: Any) -> int:
        return int(weight.shape[-1])

    def dtype_name(self, tensor: Any) -> str:
        return str(tensor.array.dtype.name)

    def check_optimisers(self, optimisers: Sequence[Any]) -> None:
        wrong = [one for one in optimisers if not isinstance(one, Optimiser)]
        if wrong:
            raise ConfigError(
                f"a network of Backlight needs an optimiser of backlight.optim; got a {type(wrong[0]).__name__}."
            )

    def optimisers(
        self, parameters: Sequence[Any], known: Iterable[Any], *, before: Callable[[Any], None],
        after: Callable[[Any], None],
    ) -> "_Optimisers":  # fmt: skip
        return _Optimisers(parameters, known, before)

    # -- tensors -------------------------------------------------------------------------------------------------------

    def is_tensor(self, thing: Any) -> bool:
        return isinstance(thing, Tensor)

    def tensors_in(self, thing: Any) -> Iterator[Any]:
        if isinstance(thing, (Tensor, np.ndarray)):
            yield thing
        elif isinstance(thing, (tuple, list)):
            for one in thing:
                yield from self.tensors_in(one)

    def is_input(self, tensor: Any) -> bool:
        return bool(self.values(tensor).size)

    def awaits_gradient(self, tensor: Any) -> bool:
        return isinstance(tensor, Tensor) and tensor.requires_grad and bool(tensor._prev)

    def why_not_measured(self, tensor: Any) -> str | None:
        array = self.values(tensor)
        if array.dtype.kind != "f":
            return f"its numbers are {array.dtype}, not floating-point ones"
        return None if array.size else "it holds no number"

    def values(self, tensor: Any) -> Array:
        return tensor.array if isinstance(tensor, Tensor) else tensor

    def copied(self, tensor: Any) -> Array:
        return np.array(self.values(tensor))

    def array(self, tensor: Any) -> Array:
        return np.array(self.values(tensor))

    def number(self, loss: Any) -> float:
        array = np.asarray(self.values(loss)) if isinstance(loss, (Tensor, np.ndarray)) else np.asarray(float(loss))
        if array.size != 1:
            raise ValueError(f"and was given one of shape {array.shape}")
        return float(array.reshape(()))

    def sampled(self, tensor: Any, step: int) -> Array:
        return np.array(self.values(tensor).reshape(-1)[::step])

    def empty_like(self, tensor: Any) -> Array:
        return np.empty_like(self.values(tensor))

    def features(self, tensor: Any, step: int) -> Array:
        array = self.values(tensor)
        if array.ndim < 2:
            return np.array(array)
        return np.array(
            array.reshape(len(array), -1)[:, ::step] if array.dtype.kind == "f" else array.reshape(-1)[::step]
        )

    def rows(self, tensor: Any, axis: int, most: int) -> Array:
        rows = np.moveaxis(self.values(tensor), axis, -1)
        rows = rows.reshape(-1, rows.shape[-1])
        return np.array(rows[:: max(1, -(-rows.size // most))])

    def first_rows(self, tensor: Any, axis: int, count: int) -> Array:
        rows = np.moveaxis(self.values(tensor), axis, -1)
        return rows.reshape(-1, rows.shape[-1])[:count]

    def measure(
        self, block: Block, values: Sequence[Any], *, start: int = 0, less: Sequence[Any] | None = None,
        copies: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        numbers.measure(block, values, start=start, less=less, copies=copies)

    def looks_broken(self, parameters: Sequence[Any]) -> bool:
        first = next((one._grad for one in parameters if one._grad is not None), None)
        return first is not None and not math.isfinite(float(first.sum())) and not np.isfinite(first).all()

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def is_recording(self) -> bool:
        return recording.on

    def hook_layer(self, layer: Layer, capture: Capture) -> Remove:
        remove: Remove = layer.module.register_forward_hook(Hook(_on_layer, layer, capture))
        return remove

    def hook_call(self, hook: Callable[[Any, Any], None]) -> Remove:
        return self.model.register_forward_hook(Hook(_on_call, hook))

    def hook_return(self, hook: Callable[[Any], None]) -> Remove:
        return self.model.register_forward_hook(Hook(_on_return, hook))

    def await_gradient(self, call: Call, capture: Capture, *, at_once: bool) -> None:
        if self.awaits_gradient(call.tensor):
            call.tensor.register_hook(partial(capture.on_gradient, call))

    def hook_gradient(self, tensor: Any, hook: Callable[[Any], None]) -> None:
        tensor.register_hook(hook)

    # -- the graph -----------------------------------------------------------------------------------------------------

    def node(self, tensor: Any) -> Any:
        return tensor if isinstance(tensor, Tensor) and tensor.requires_grad else None

    def op_name(self, node: Any) -> str:
        return "" if node._op is None else str(node._op.name)

    def parents(self, node: Any) -> Iterable[Any]:
        return node._prev  # type: ignore[no-any-return]

    def leaf(self, node: Any) -> Any:
        return None if node._prev else node

    def loss_kind(self, names: Sequence[str]) -> str:
        kind = next((_LOSSES[name] for name in names if name in _LOSSES), "other")
        by_hand = kind == "other" and {"mul", "sub"} <= set(names) and {"mean", "sum"} & set(names)
        return "mse" if by_hand else kind

    def reduction(self, nodes: Sequence[Any], names: Sequence[str]) -> str | None:
        own = next((node._settings.get("reduction", "mean") for node in nodes if self.op_name(node) in _LOSSES), None)
        return own or next((name for name in names if name in {"mean", "sum"}), None)

    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], rank: int) -> int:
        return rank - 1

    def loss_input(self, node: Any) -> Any:
        return node._prev[0] if self.op_name(node) in _LOSSES else None

    def known_targets(self, nodes: Sequence[Any]) -> Array | None:
        for node in nodes:
            name = self.op_name(node)
            if name == "cross_entropy":
                return np.asarray(node._settings["targets"])
            if name == "mse":
                return np.asarray(node._prev[1].array)
        return None

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

    def graph(self, *, on: bool) -> AbstractContextManager[Any]:
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


def _on_layer(layer: Layer, capture: Capture, module: Module, inputs: Any, output: Any) -> None:
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


class _Optimisers:
    """The one optimiser of a network, if it was given."""

    def __init__(self, parameters: Sequence[Any], known: Iterable[Any], before: Callable[[Any], None]) -> None:
        self.found: list[Optimiser] = list(known)
        self.steps = 0
        self._own = {id(one): at for at, one in enumerate(parameters)}
        self._before = before
        self._removers: list[Remove] = []
        self._facts = [_facts_of(one) for one in self.found]

    def attach(self) -> None:
        self._removers = [one.register_step_hook(partial(self._about_to_step, one)) for one in self.found]

    def detach(self) -> None:
        for remove in self._removers:
            remove()
        self._removers = []

    def clear(self) -> None:
        self.steps = 0

    def _about_to_step(self, optimiser: Optimiser) -> None:
        self.steps += 1
        self._before(optimiser)

    def rates(self) -> tuple[float, ...]:
        return tuple(one.lr for one in self.found)

    def places(self, optimiser: Any) -> Sequence[int]:
        return sorted(self._own[id(one)] for one in optimiser.flat.tensors if id(one) in self._own)

    def group_of(self) -> Mapping[int, int]:
        return {id(one): group for group, optimiser in enumerate(self.found) for one in optimiser.flat.tensors}

    def facts(self) -> OptimiserFacts | None:
        if not self.found:
            return None
        foreign = sum(id_ not in self._own for id_ in self.group_of())
        kinds = "+".join(type(one).__name__ for one in self.found)
        return OptimiserFacts(kind=kinds, groups=tuple(self._facts), foreign=foreign)


def _facts_of(optimiser: Optimiser) -> Mapping[str, Setting]:
    known = {name: getattr(optimiser, name) for name in _OPTIMISER_SETTINGS if hasattr(optimiser, name)}
    return {**known, **dict(zip(("beta1", "beta2"), getattr(optimiser, "betas", ()), strict=False))}


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
