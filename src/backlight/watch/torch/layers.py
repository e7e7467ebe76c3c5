"""Which modules are watched as layers, what kind each is, and what is known of it without running it."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch

from backlight.watch import FUNCTIONS, Kind, kind_of
from backlight.watch.kinds import OTHER
from backlight.watch.records import LayerFacts, Setting

_SETTINGS: Final = (
    "p", "eps", "momentum", "affine", "elementwise_affine", "track_running_stats", "kernel_size", "stride", "padding",
    "dilation", "groups", "negative_slope", "num_heads", "num_layers", "hidden_size", "bidirectional", "batch_first",
    "dropout", "inplace", "dim", "padding_idx", "num_groups", "approximate", "is_causal",
)  # fmt: skip

_CHANNELS_FIRST: Final = {"convolution", "batch_norm", "pooling"}
_HAS_BIAS: Final = {"linear", "convolution", "batch_norm", "norm", "recurrent", "attention"}


class Layer:
    """One layer under watch.

    Attributes:
        name: see `LayerFacts`.
        class_name: of the module, or the function's name.
        kind: what it does.
        module: None for a function.
        aliases: further names.
        depth: place in the order of first execution; None before it.
        calls: in the first recorded pass.
        reads: see `LayerFacts`.
        copies: whether its output is copied at once, because somebody may change it in place; true until the first
            recorded step has shown otherwise.
        settings: of a function, its own; a module is asked.
        measurable: whether its output has been seen to be numbers with a scale.
        quick: whether there is nothing to find out about its next output.
        numel: how many numbers the last one had.
        axis: where its units were.
    """

    def __init__(self, name: str, class_name: str, kind: Kind, module: torch.nn.Module | None) -> None:
        self.name = name
        self.class_name = class_name
        self.kind = kind
        self.module = module
        self.aliases: list[str] = []
        self.depth: int | None = None
        self.calls = 0
        self.reads: tuple[str, ...] = ()
        self.copies = True
        self.settings: dict[str, Setting] = {}
        self.measurable = False
        self.quick = False
        self.numel = 0
        self.axis = -1

    def facts(self) -> LayerFacts:
        """Return what is known of it."""
        role, module = self.kind.role, self.module
        own = {} if module is None else dict(module.named_parameters(recurse=False))
        fan_in, fan_out = (None, None) if module is None else _fans(role, module)
        return LayerFacts(
            name=self.name,
            kind=self.class_name,
            role=role,
            bounded=self.kind.bounded,
            one_sided=self.kind.one_sided,
            depth=self.depth,
            calls=self.calls,
            functional=module is None,
            aliases=tuple(self.aliases),
            parameters=tuple(f"{self.name}.{name}" if self.name else name for name in own),
            bias=_bias(module) if module is not None and role in _HAS_BIAS else None,
            fan_in=fan_in,
            fan_out=fan_out,
            reads=self.reads,
            settings=dict(self.settings) if module is None else dict(_settings(module)),
        )


class Layers:
    """The layers of a model.

    A layer is a module without modules below it, or with parameters of its own, or of a known kind; and a function that
    turns up while the model runs.

    Args:
        model: the model.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.by_module: dict[torch.nn.Module, Layer] = {}
        self._functions: dict[str, Layer] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            if module in self.by_module:
                self.by_module[module].aliases.append(name)
            elif _is_layer(name, module):
                kind = kind_of(base.__name__ for base in type(module).__mro__)
                self.by_module[module] = Layer(name, type(module).__name__, _corrected(kind, module), module)
        self._executed = 0

    def function(self, after: str, function: str, place: int) -> Layer:
        """Return the layer of a function, called for the `place`-th time after a layer."""
        name = f"{after}>{function}" + (f"#{place}" if place > 1 else "")
        if name not in self._functions:
            self._functions[name] = Layer(name, function, FUNCTIONS[function], None)
        return self._functions[name]

    def executed(self, layer: Layer) -> None:
        """Note that a layer ran; the first time decides its depth."""
        if layer.depth is None:
            layer.depth = self._executed
            self._executed += 1

    @property
    def has_functions(self) -> bool:
        """Whether the model applies activations by functions."""
        return bool(self._functions)

    def facts(self) -> tuple[LayerFacts, ...]:
        """Return what is known of each, in order of execution; those never called last."""
        all_layers = [*self.by_module.values(), *self._functions.values()]
        never = len(all_layers)
        return tuple(
            one.facts() for one in sorted(all_layers, key=lambda one: never if one.depth is None else one.depth)
        )


def channel_axis(layer: Layer, output: torch.Tensor, inherited: int | None) -> int:
    """Return the axis of a layer's output that has its units.

    Args:
        layer: the layer.
        output: what it gave.
        inherited: the axis of what it read; None if that is not known.
    """
    if output.ndim < 3:
        return output.ndim - 1
    own = getattr(layer.module, "channel_axis", None)
    if isinstance(own, int):
        return own % output.ndim
    if layer.kind.role in _CHANNELS_FIRST or layer.class_name.startswith(("GroupNorm", "InstanceNorm")):
        return 1
    if layer.kind.role in {"linear", "recurrent", "embedding", "norm", "attention"}:
        return output.ndim - 1
    if inherited is not None and inherited < output.ndim:
        return inherited
    return 1 if output.ndim > 3 else output.ndim - 1


def _is_layer(name: str, module: torch.nn.Module) -> bool:
    if ".parametrizations." in f".{name}.":
        return False
    kind = kind_of(base.__name__ for base in type(module).__mro__)
    if kind.role == "container":
        return False
    childless = next(module.children(), None) is None
    return childless or kind is not OTHER or next(module.parameters(recurse=False), None) is not None


def _corrected(kind: Kind, module: torch.nn.Module) -> Kind:
    """Return what a module is, where that depends on its settings."""
    if isinstance(module, torch.nn.RNN) and module.nonlinearity != "tanh":
        return Kind("recurrent")
    if isinstance(module, torch.nn.Hardtanh) and type(module) is torch.nn.Hardtanh:
        return Kind("activation", (module.min_val, module.max_val), bounded=True)
    return kind


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
    if role not in {"linear", "convolution"} or weight is None or weight.ndim < 2:
        return None, None
    return weight.numel() // weight.shape[0], weight.shape[0]


def _settings(module: torch.nn.Module) -> Iterator[tuple[str, Setting]]:
    for name in _SETTINGS:
        value: Any = getattr(module, name, ...)
        if value is ... or isinstance(value, (torch.Tensor, torch.nn.Module, Callable)):  # type: ignore[arg-type]
            continue
        yield name, value if isinstance(value, (int, float, bool, str)) or value is None else str(value)
