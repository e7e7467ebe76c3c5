"""What the watching mechanism must know of PyTorch."""

import math
import random
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch.utils.hooks import RemovableHandle

from backlight.core import ConfigError
from backlight.nn.kind import OTHER, Kind
from backlight.watch.adapter import Adapter, BatchView, Hook, LayerDescription, OnFunction, Remove
from backlight.watch.calls import Call, CallTaker, WatchedLayer
from backlight.watch.kinds import kind_of
from backlight.watch.records import Setting
from backlight.watch.torch_nn.batch import TorchBatch
from backlight.watch.torch_nn.copies import leave_out_hooks, marked
from backlight.watch.torch_nn.directions import DirectionWatch
from backlight.watch.torch_nn.functions import FunctionWatch
from backlight.watch.torch_nn.graph import TorchGraph
from backlight.watch.torch_nn.operations import OperationWatch
from backlight.watch.torch_nn.optimisers import TorchOptimisers
from backlight.watch.torch_nn.plain import output_of, tensors_in, why_not_measured
from backlight.watch.torch_nn.tensors import TorchTensors

_SETTINGS: Final = (
    "p", "eps", "momentum", "affine", "elementwise_affine", "track_running_stats", "kernel_size", "stride", "padding",
    "dilation", "groups", "negative_slope", "num_heads", "num_layers", "hidden_size", "bidirectional", "batch_first",
    "dropout", "inplace", "dim", "padding_idx", "num_groups", "approximate", "is_causal",
)  # fmt: skip

_CHANNELS_FIRST: Final = {"convolution", "batch_norm", "pooling"}
_CHANNELS_LAST: Final = {"linear", "recurrent", "embedding", "norm", "attention"}
_HAS_BIAS: Final = {"linear", "convolution", "batch_norm", "norm", "recurrent", "attention"}

_STRIDED: Final = torch.strided
_is_compiling = torch.compiler.is_compiling
_transformations = torch._C._functorch.peek_interpreter_stack


class TorchAdapter(TorchTensors, TorchGraph, Adapter):
    """A `torch.nn.Module`.

    Args:
        model: the network.
        scaler: the gradient scaler, if the loss is scaled.
    """

    framework = "torch"
    in_place = True
    model: torch.nn.Module

    def __init__(self, model: torch.nn.Module, *, scaler: Any = None) -> None:
        super().__init__(model)
        self._scaler = scaler
        self._sparse: set[int] = set()

    # -- modules -------------------------------------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        yield from self.model.named_modules(remove_duplicate=False)

    def named_parameters(self) -> dict[str, Any]:
        return dict(self.model.named_parameters())

    def owned(self, module: Any) -> Mapping[str, Any]:
        return dict(module.named_parameters(recurse=False))

    def kind(self, module: Any) -> Kind:
        if isinstance(module, torch.nn.RNN) and module.nonlinearity != "tanh":
            return Kind("recurrent")
        if type(module) is torch.nn.Hardtanh:
            return Kind("activation", (module.min_val, module.max_val), bounded=True)
        return kind_of(base.__name__ for base in type(module).__mro__)

    def is_layer(self, name: str, module: Any, kind: Kind) -> bool:
        if ".parametrizations." in f".{name}." or kind.role == "container":
            return False
        return kind is not OTHER or bool(self.owned(module)) or next(module.children(), None) is None

    def describe(self, layer: WatchedLayer) -> LayerDescription:
        module, role = layer.module, layer.kind.role
        fan_in, fan_out = _fans(role, module)
        return LayerDescription(
            parameters=tuple(f"{layer.name}.{name}" if layer.name else name for name in self.owned(module)),
            bias=_bias(module) if role in _HAS_BIAS else None,
            fan_in=fan_in,
            fan_out=fan_out,
            settings=dict(_settings(module)),
        )

    def channel_axis(self, layer: WatchedLayer | None, shape: Sequence[int], inherited: int | None) -> int:
        rank = len(shape)
        if rank < 3:
            return rank - 1
        if layer is not None:
            own = getattr(layer.module, "channel_axis", None)
            if isinstance(own, int):
                return own % rank
            role = layer.kind.role
            if role in _CHANNELS_FIRST or layer.class_name.startswith(("GroupNorm", "InstanceNorm")):
                return 1
            if role in _CHANNELS_LAST:
                return rank - 1
        if inherited is not None and inherited < rank:
            return inherited
        return 1 if rank > 3 else rank - 1

    # -- parameters ----------------------------------------------------------------------------------------------------

    def gradients(self, parameters: Sequence[Any]) -> list[Any]:
        return [
            one if one is None or one.layout is _STRIDED else self._densely(one, parameters[at])
            for at, one in enumerate([parameter.grad for parameter in parameters])
        ]

    def _densely(self, gradient: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
        self._sparse.add(id(parameter))
        return gradient.to_dense()

    def norm(self, gradients: Sequence[Any]) -> float:
        with torch.no_grad():
            norms = [norm.item() for norm in torch._foreach_norm(list(gradients))]
        return 0.0 if 0 in norms else math.hypot(*norms)

    def is_sparse(self, parameter: Any) -> bool:
        return id(parameter) in self._sparse

    def fan_in(self, parameter: Any, owner: Any) -> int | None:
        outputs = 1 if isinstance(owner, torch.nn.modules.conv._ConvTransposeNd) else 0
        return int(parameter.numel() // max(parameter.shape[outputs], 1))

    def identical_units(self, weight: Any) -> bool | None:
        x = weight.detach()
        if x.shape[0] < 2:
            return None
        return torch.equal(x[0], x[1]) and bool((x == x[:1]).all())

    def equal(self, one: Any, other: Any) -> bool:
        a, b = one.detach(), other.detach()
        if a.device != b.device or a.dtype != b.dtype or a.ndim < 2 or not bool((a[0] == b[0]).all()):
            return False
        return not bool((a == a.flatten()[0]).all()) and torch.equal(a, b)

    def optimisers(
        self, parameters: Sequence[Any], known: Iterable[Any], *, before: Callable[[Any], None],
        after: Callable[[Any], None],
    ) -> TorchOptimisers:  # fmt: skip
        return TorchOptimisers(parameters, known, before=before, after=after)

    def check_optimisers(self, optimisers: Sequence[Any]) -> None:
        wrong = [one for one in optimisers if not hasattr(one, "param_groups")]
        if wrong:
            raise ConfigError(
                f"an optimiser of a PyTorch network has param_groups; got a {type(wrong[0]).__name__}. Omit it, and "
                "the optimisers that step are found."
            )

    def loss_scale(self) -> float | None:
        return None if self._scaler is None else float(self._scaler.get_scale())

    def step_scale(self, optimiser: Any) -> float:
        scale = getattr(optimiser, "grad_scale", None)  # of a fused step, which unscales by itself
        return 1.0 if scale is None else float(scale)

    def looks_broken(self, parameters: Sequence[Any]) -> bool:
        return _is_broken(parameters) or _is_broken(reversed(parameters))

    def tables(self) -> Iterable[Mapping[str, Any]]:
        for module in self.model.modules():
            if not isinstance(module, torch.jit.ScriptModule):
                yield from (module._parameters, module._modules)

    def on_accumulated(self, parameter: Any, hook: Callable[[Any], None]) -> Remove | None:
        if not (parameter.is_leaf and parameter.requires_grad):
            return None
        remove: Remove = parameter.register_post_accumulate_grad_hook(partial(_on_accumulated, hook)).remove
        return remove

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def is_recording(self) -> bool:
        return torch.is_grad_enabled()

    def is_transformed(self) -> bool:
        return _is_compiling() or _transformations() is not None or torch._C._get_tracing_state() is not None

    def is_parameter(self, tensor: Any) -> bool:
        return isinstance(tensor, torch.nn.Parameter)

    def hook_load(self, hook: Callable[[], None]) -> Remove:
        table = self.model._load_state_dict_pre_hooks
        handle = RemovableHandle(table)  # PyTorch's own method would wrap the hook, and it would not be known in copies
        return marked(handle, table, hook=Hook(_on_load, hook, weakref.ref(self.model)))

    def hook_layer(self, layer: WatchedLayer, capture: CallTaker) -> Remove:
        return layer.module.register_forward_hook(Hook(_on_layer, layer, capture)).remove  # type: ignore[no-any-return]

    def hook_call(self, hook: Callable[[Any, Any], None], module: Any = None) -> Remove:
        called = self.model if module is None else module
        ours = Hook(_on_call, hook)
        handle = called.register_forward_pre_hook(ours, with_kwargs=True)
        return marked(handle, called._forward_pre_hooks_with_kwargs, hook=ours)

    def hook_return(self, hook: Callable[[Any], None]) -> Remove:
        ours = Hook(_on_return, hook)
        handle = self.model.register_forward_hook(ours, always_call=True)
        return marked(handle, self.model._forward_hooks_always_called, hook=ours)

    def begin(self) -> Remove:
        return leave_out_hooks()

    def await_gradient(self, call: Call, capture: CallTaker, *, at_once: bool) -> None:
        tensor = call.tensor
        if not tensor.requires_grad or tensor.is_leaf:
            return
        if at_once:  # what is changed in place would get the gradient of what it became
            tensor.register_hook(partial(capture.on_gradient, call))
        elif not tensor.retains_grad:
            tensor.retain_grad()
            call.retained = True

    def hook_gradient(self, tensor: Any, hook: Callable[[Any], None]) -> None:
        tensor.register_hook(hook)

    def collect(self, calls: Sequence[Call]) -> set[WatchedLayer]:
        altered: set[WatchedLayer] = set()
        for call in calls:
            tensor = call.tensor
            if tensor is None:
                continue
            if tensor._version != call.version and call.layer is not None:
                altered.add(call.layer)
                if call.values is tensor:
                    call.values = None
            if call.retained:
                call.gradient, tensor.grad = tensor.grad, None
        return altered

    def watch_functions(self, on_function: OnFunction) -> AbstractContextManager[Any] | None:
        return FunctionWatch(on_function)

    def directions(self) -> DirectionWatch:
        return DirectionWatch(self.model)

    def operations(self) -> OperationWatch | None:
        # one that is spread over processes takes part in each of its passes
        return None if isinstance(self.model, torch.nn.parallel.DistributedDataParallel) else OperationWatch()

    # -- one batch, and everything as it was ---------------------------------------------------------------------------

    def undo_list(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "Python's random numbers", partial(random.setstate, random.getstate())
        yield "NumPy's random numbers", partial(np.random.set_state, np.random.get_state())  # noqa: NPY002  (the user's)
        yield "PyTorch's random numbers", partial(torch.set_rng_state, torch.get_rng_state())
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            yield "CUDA's random numbers", partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        tensors: dict[int, tuple[str, torch.Tensor]] = {}
        for path, module in self.model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            tables = {name: vars(module)[name] for name in ("_parameters", "_buffers", "_modules")}
            for table in tables.values():
                for name, one in table.items():
                    if isinstance(one, torch.Tensor):
                        tensors.setdefault(id(one), (f"{path}.{name}" if path else name, one))
            copies = {name: dict(table) for name, table in tables.items()}
            yield path or "the model", partial(_put_back_attributes, module, dict(vars(module)), copies)
        for name, one in tensors.values():
            if one.device.type != "meta":
                yield name, partial(_put_back, one, one.detach().clone(), one.grad)

    def clear_gradients(self) -> None:
        for parameter in self.model.parameters():
            parameter.grad = None

    def set_mode(self, *, training: bool) -> None:
        self.model.train(training)

    def recording(self, *, on: bool) -> AbstractContextManager[Any]:
        return torch.set_grad_enabled(on)

    def backward(self, loss: Any) -> None:
        """Leave the gradients in the parameters, without calling the hooks that these may have, if that can be."""
        wanted = [one for one in self.model.parameters() if one.requires_grad]
        try:
            gradients = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True) if wanted else ()
        except RuntimeError as error:
            if "checkpoint" not in str(error):
                raise
            loss.backward()  # what is computed anew by reentrant checkpoints has no other way
            return
        for parameter, gradient in zip(wanted, gradients, strict=True):
            parameter.grad = gradient

    def batch(self, inputs: Any, targets: Any, loss: Any) -> BatchView:
        for name, one in self.model.named_parameters():
            if isinstance(one, torch.distributed.tensor.DTensor):
                raise ConfigError(
                    f"a network that is spread over devices cannot be put back after an examination; {name} is a "
                    "DTensor. Examine the network before it is sharded."
                )
        on_meta = [one for one in tensors_in((list(self.model.parameters()), inputs, targets)) if one.is_meta]
        if on_meta:
            raise ConfigError(
                "a network is examined with numbers; got tensors on the meta device, which hold none. Move the network "
                "with to_empty(device=...), give it weights, and give the batch on that device."
            )
        return TorchBatch(self.model, inputs, targets, loss).view()

    def output_of(self, result: Any) -> Any:
        return output_of(result)


def _is_broken(parameters: Iterable[Any]) -> bool:
    """Return whether the first gradient that there is holds a number that is not finite."""
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None:
            break
    else:
        return False
    if gradient.layout is not _STRIDED or not gradient.is_cpu or gradient.__class__ is not torch.Tensor:
        return False  # to look would take long, or fail
    # a sum is not finite if one of its numbers is not
    return not math.isfinite(gradient.sum().item()) and not bool(gradient.isfinite().all())


# -- hooks: functions of their own, so that a compiler that meets one sees at once that it does nothing ----------------


def _on_layer(layer: WatchedLayer, capture: CallTaker, module: torch.nn.Module, args: Any, output: Any) -> None:
    """Take in a layer's call; by a short way where nothing is to be found out, since this runs for every layer."""
    if _is_compiling():
        return
    try:
        if (
            capture.is_routine and output.__class__ is torch.Tensor and output.shape == layer.shape
            and output.requires_grad and not output.retains_grad and not output.is_leaf
        ):  # fmt: skip
            output.retain_grad()
            call = Call(layer, output, args, module.training, output._version, capture.number)
            call.values, call.shape, call.axis, call.retained = output, layer.shape, layer.axis, True
            capture.calls.append(call)
        else:
            capture.on_module(layer, module, args, output)
    except Exception as error:  # noqa: BLE001  (it is shown as "not measured")
        capture.failed(error)


def _on_call(hook: Callable[[Any, Any], None], module: torch.nn.Module, args: Any, kwargs: Any) -> None:
    del module
    if not _is_compiling():
        hook(args, kwargs)


def _on_return(hook: Callable[[Any], None], module: torch.nn.Module, args: Any, output: Any) -> None:
    del module, args
    if not _is_compiling():
        hook(output)


def _on_load(
    hook: Callable[[], None], model: "weakref.ref[torch.nn.Module]", state: Mapping[str, Any], *args: Any
) -> None:
    del args
    own = [] if (known := model()) is None else list(known.named_parameters(remove_duplicate=False))
    plain = [(state.get(name), one) for name, one in own if why_not_measured(one) is None]
    if plain and all(isinstance(given, torch.Tensor) and _same_memory(given, one) for given, one in plain):
        hook()


def _same_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    return why_not_measured(a) is None and a.data_ptr() == b.data_ptr()


def _on_accumulated(hook: Callable[[Any], None], parameter: torch.Tensor) -> None:
    if parameter.grad is not None:
        hook(parameter.grad)


# -- what is known of modules without running them ---------------------------------------------------------------------


def _bias(module: torch.nn.Module) -> bool:
    if isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase)):
        return bool(module.bias)
    names = {name.removeprefix("parametrizations.").removesuffix(".original") for name, _ in module.named_parameters()}
    return bool({"bias", "in_proj_bias"} & names)


def _fans(role: str, module: Any) -> tuple[int | None, int | None]:
    """Return fan-in and fan-out, without touching a weight: one with a parametrisation would be computed anew."""
    if isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase)):
        return module.input_size + module.hidden_size, module.hidden_size
    if isinstance(module, torch.nn.MultiheadAttention):
        return module.embed_dim, module.embed_dim
    if isinstance(module, torch.nn.modules.conv._ConvNd):
        return module.in_channels // module.groups * math.prod(module.kernel_size), module.out_channels
    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    weight = module._parameters.get("weight")
    if role not in {"linear", "convolution"} or weight is None or weight.ndim < 2 or not weight.shape[0]:
        return None, None
    return weight.numel() // weight.shape[0], weight.shape[0]


def _settings(module: torch.nn.Module) -> Iterator[tuple[str, Setting]]:
    for name in _SETTINGS:
        value: Any = getattr(module, name, ...)
        if value is ... or isinstance(value, (torch.Tensor, torch.nn.Module, Callable)):  # type: ignore[arg-type]
            continue
        yield name, value if isinstance(value, (int, float, bool, str)) or value is None else str(value)


# -- putting back ------------------------------------------------------------------------------------------------------


def _put_back_attributes(
    module: torch.nn.Module, attributes: dict[str, Any], tables: Mapping[str, dict[str, Any]]
) -> None:
    """Set back what a module's attributes were; what lies inside of one (a list that grew) is not."""
    vars(module).clear()
    vars(module).update(attributes)
    for name, table in tables.items():
        own: dict[str, Any] = vars(module)[name]
        own.clear()
        own.update(table)


def _put_back(tensor: torch.Tensor, copy: torch.Tensor, gradient: torch.Tensor | None) -> None:
    try:
        with torch.no_grad():
            if tensor.shape != copy.shape or tensor.dtype != copy.dtype:
                tensor.data = copy
            elif not torch.equal(tensor, copy):  # what holds a nan is set back in any case
                tensor.copy_(copy)
    finally:
        tensor.grad = gradient
