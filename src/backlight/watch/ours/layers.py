"""Which modules are watched as layers, and what is known of them and their parameters without running them."""

from typing import Any, Final

from backlight.autograd import Parameter
from backlight.nn import Module
from backlight.watch import Kind, kind_of
from backlight.watch.kinds import OTHER
from backlight.watch.records import LayerFacts, ParameterFacts, Setting

_SETTINGS: Final = ("p", "eps", "momentum", "kernel_size", "dilation", "num_heads", "dropout", "hidden_size", "n")

_NO_MATRICES: Final = {"norm", "batch_norm", "embedding"}


class Layer:
    """One layer under watch. For the attributes see `LayerFacts`."""

    def __init__(self, name: str, module: Module, kind: Kind) -> None:
        self.name = name
        self.module = module
        self.kind = kind
        self.aliases: list[str] = []
        self.depth: int | None = None
        self.calls = 0
        self.reads: tuple[str, ...] = ()

    def facts(self) -> LayerFacts:
        """Return what is known of it."""
        module = self.module
        own = [name for name, part in module.parts() if isinstance(part, Parameter)]
        fan_in, fan_out = _fans(module)
        has_bias = any(name.startswith("bias") for name in own)
        return LayerFacts(
            name=self.name,
            kind=type(module).__name__,
            role=self.kind.role,
            bounded=self.kind.bounded,
            one_sided=self.kind.one_sided,
            depth=self.depth,
            calls=self.calls,
            aliases=tuple(self.aliases),
            parameters=tuple(f"{self.name}.{name}" if self.name else name for name in own),
            bias=has_bias if self.kind.role in {"linear", "convolution", "batch_norm", "norm", "recurrent"} else None,
            fan_in=fan_in,
            fan_out=fan_out,
            reads=self.reads,
            settings=dict(_settings(module)),
        )


def layers_of(model: Module) -> dict[Module, Layer]:
    """Return the layers: modules without modules below them, or with parameters of their own, or of a known kind."""
    found: dict[Module, Layer] = {}
    for name, module in model.named_modules():
        kind = kind_of(base.__name__ for base in type(module).__mro__)
        own = any(isinstance(part, Parameter) for _, part in module.parts())
        childless = next(module.children(), None) is None
        if module in found:
            found[module].aliases.append(name)
        elif kind.role not in {"container", "attention"} and (childless or own or kind is not OTHER):
            found[module] = Layer(name, module, kind)
    return found


def parameters_of(model: Module, layers: dict[Module, Layer], *, held: set[int] | None) -> list[ParameterFacts]:
    """Return what is known of each parameter, in the model's order.

    Args:
        model: the model.
        layers: its layers.
        held: ids of those that the optimiser has; None without an optimiser.
    """
    owners = {id(part): module for _, module in model.named_modules() for _, part in module.parts()}
    facts = []
    for name, parameter in model.named_parameters():
        layer = layers.get(owners[id(parameter)])
        role = "other" if layer is None else layer.kind.role
        matrix = len(parameter.shape) >= 2 and role not in _NO_MATRICES
        facts.append(
            ParameterFacts(
                name=name,
                layer=name.rpartition(".")[0],
                shape=parameter.shape,
                weight_matrix=matrix,
                table=role == "embedding",
                fan_in=parameter.array.size // parameter.shape[-1] if matrix else None,
                requires_grad=parameter.requires_grad,
                in_optimiser=None if held is None else id(parameter) in held,
                group=None if held is None or id(parameter) not in held else 0,
                dtype=parameter.array.dtype.name,
            )
        )
    return facts


def _fans(module: Any) -> tuple[int | None, int | None]:
    if hasattr(module, "kernel_size"):
        return module.kernel_size * module.in_channels, module.out_channels
    if hasattr(module, "hidden_size"):
        return module.input_size + module.hidden_size, module.hidden_size
    return getattr(module, "in_features", None), getattr(module, "out_features", None)


def _settings(module: Module) -> list[tuple[str, Setting]]:
    found = [(name, getattr(module, name, None)) for name in _SETTINGS]
    return [(name, value) for name, value in found if isinstance(value, (int, float, str))]
