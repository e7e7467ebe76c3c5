"""The base class of all layers and models: it finds their parameters, and saves, loads and calls them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Buffer, Parameter, Tensor, as_array
from backlight.autograd.flat import FlatParameters, zero_gradients
from backlight.autograd.tensor_base import Operand, as_dtype
from backlight.core import Array, ConfigError, GraphError, OperandError, ShapeError
from backlight.core.arguments import shown
from backlight.nn.kind import OTHER
from backlight.nn.kind import Kind as LayerKind

Kind = TypeVar("Kind", Parameter, Buffer)
Hook = Callable[["Module", tuple[Any, ...], Tensor], None]


class Module:
    """A layer or a model. It owns the parameters, buffers and modules in its attributes, also inside lists and dicts.

    Attributes:
        training: True after `train()`, False after `eval()`; layers such as dropout depend on it.
    """

    layer_kind: ClassVar[LayerKind] = OTHER
    """What the layer does; "other" for a model."""
    training: bool = True
    _forward_hooks: tuple[Hook, ...] = ()
    _former: ClassVar[Mapping[str, str]] = {}
    """The former names of parameters in Backlight 0.1, by their present names, where they differ."""

    def forward(self, *inputs: Any, **settings: Any) -> Tensor:
        """Return the output for an input. Shapes are those of the subclass. Calling the module calls this method."""
        raise NotImplementedError(f"{type(self).__name__} must define forward().")

    def __call__(self, x: Any, *more: Any, **settings: Any) -> Tensor:
        """Return `forward(x)`, after calling every forward hook with it."""
        out = self.forward(x, *more, **settings)
        for hook in self._forward_hooks:
            hook(self, (x, *more), out)
        return out

    def register_forward_hook(self, hook: Hook) -> Callable[[], None]:
        """Call `hook(module, inputs, output)` after each forward pass. Returns a function that removes the hook."""
        self._forward_hooks = (*self._forward_hooks, hook)

        def remove() -> None:
            left = tuple(other for other in self._forward_hooks if other is not hook)
            if left:
                self._forward_hooks = left
            elif "_forward_hooks" in vars(self):
                del self._forward_hooks

        return remove

    def parts(self) -> Iterator[tuple[str, "Module | Parameter | Buffer"]]:
        """Yield this module's own parameters and buffers, and its direct submodules, with their names."""
        for name, part in vars(self).items():
            yield from _inside(name, part)

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the direct submodules with their names."""
        yield from ((name, part) for name, part in self.parts() if isinstance(part, Module))

    def children(self) -> Iterator["Module"]:
        """Yield the direct submodules."""
        yield from (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all of its submodules, with dotted names."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def _named(self, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, part in module.parts():
                if isinstance(part, kind) and id(part) not in seen:
                    seen.add(id(part))
                    yield (f"{path}.{name}" if path else name), part

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its dotted name."""
        return self._named(Parameter)

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield every buffer once, with its dotted name: state that is saved but not learnt, such as running means."""
        return self._named(Buffer)

    def parameters(self) -> list[Parameter]:
        """Return every parameter once."""
        return [parameter for _, parameter in self.named_parameters()]

    def num_parameters(self) -> int:
        """Return the number of learnt numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flat(self) -> FlatParameters:
        """Return all parameters as one array (P,) and their gradients as another."""
        return FlatParameters.of(self.parameters())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: set them to None, or to 0 if `set_to_none` is false."""
        zero_gradients(self.parameters(), set_to_none=set_to_none)

    def train(self, mode: bool = True) -> Self:
        """Set training mode for this module and its submodules, and return this module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode for this module and its submodules, and return this module."""
        return self.train(mode=False)

    def to(self, dtype: DTypeLike) -> Self:
        """Convert all parameters and buffers to a dtype, clear the gradients, and return this module.

        Raises:
            ConfigError: not a floating-point dtype.
        """
        kind = as_dtype(dtype)
        if kind.kind != "f":
            raise ConfigError(f"parameters need a floating-point dtype; got {kind}. Use 'float32' or 'float64'.")
        for _, buffer in self.named_buffers():
            buffer.array = buffer.array.astype(kind)
        for parameter in self.parameters():
            parameter.zero_grad()
            parameter._grad_home = None
            parameter.array = parameter.array.astype(kind)
        return self

    def set_rng(self, rng: np.random.Generator) -> Self:
        """Use this generator in all layers that draw random numbers, such as dropout, and return this module.

        Raises:
            ConfigError: not a generator.
        """
        if not callable(getattr(rng, "random", None)):
            raise ConfigError(f"set_rng takes a generator, such as np.random.default_rng(0); got {shown(rng)}.")
        for _, module in self.named_modules():
            if hasattr(module, "rng"):
                module.rng = rng
        return self

    def generators(self) -> list[np.random.Generator]:
        """Return every generator that this module and its submodules draw from, once."""
        found = (getattr(module, "rng", None) for _, module in self.named_modules())
        return list({id(rng): rng for rng in found if isinstance(rng, np.random.Generator)}.values())

    def _former_name(self, name: str) -> str:
        """Return the name in Backlight 0.1 of one of `parts`."""
        return self._former.get(name, name)

    def _state(self) -> dict[str, Parameter | Buffer]:
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and buffers, in their shapes, by dotted name, as in PyTorch."""
        return {name: np.array(tensor.array) for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy values into all parameters and buffers.

        Args:
            state: arrays or tensors in the shapes of `state_dict()`, by name. Names of Backlight 0.1 are accepted.

        Raises:
            ConfigError: a name is missing or unknown, or an array is not of floating-point numbers.
            ShapeError: an array has another shape.
            OperandError: not a mapping.
        """
        own = self._state()
        if not isinstance(state, Mapping):
            raise OperandError(f"load_state_dict takes the result of state_dict(); got a {type(state).__name__}.")
        if own.keys() != state.keys():
            current = former_names(self)
            state = {current.get(name, name): array for name, array in state.items()}
        if own.keys() != state.keys():
            odd = sorted(map(str, own.keys() ^ state.keys()))
            raise ConfigError(f"the weights must have the model's names; missing or unknown: {', '.join(odd)}.")
        arrays = {name: as_array(array) for name, array in state.items()}
        for name, tensor in own.items():
            if tensor.shape != arrays[name].shape:
                raise ShapeError(f"{name} must have shape {tensor.array.shape}; got {arrays[name].shape}.")
            if arrays[name].dtype.kind != "f":
                raise ConfigError(f"weights must be floating-point numbers; got {name} of {arrays[name].dtype}.")
        for name, tensor in own.items():
            tensor.array[...] = arrays[name]

    def __repr__(self) -> str:
        name, facts = type(self).__name__, self.extra_repr()
        children = [f"({child}): {module!r}" for child, module in self.named_children()]
        if not children:
            return f"{name}({facts})"
        lines = "\n".join([facts, *children] if facts else children).replace("\n", "\n  ")
        return f"{name}(\n  {lines}\n)"

    def extra_repr(self) -> str:
        """Return the settings of this module, for printing."""
        return ""


def _inside(name: str, part: Any) -> Iterator[tuple[str, Module | Parameter | Buffer]]:
    """Yield the parameters, buffers and modules in an attribute, also inside nested lists and dicts."""
    if isinstance(part, (Module, Parameter, Buffer)):
        yield name, part
    elif isinstance(part, (list, tuple)):
        for index, item in enumerate(part):
            yield from _inside(f"{name}.{index}", item)
    elif isinstance(part, dict):
        for key, item in part.items():
            yield from _inside(f"{name}.{key}", item)


def as_input(x: Operand, weight: "Tensor | np.dtype[Any]") -> Tensor:
    """Return a layer's input as a tensor of its shape. An array or a list gets the dtype of the layer's weights.

    Raises:
        GraphError: a tensor of integers or booleans.
    """
    if not isinstance(x, Tensor):
        dtype = weight.array.dtype if isinstance(weight, Tensor) else weight
        return Tensor._holding(as_array(x, dtype))
    if x.array.dtype.kind != "f":
        raise GraphError(f"a layer needs floating-point numbers; got {x.array.dtype}. Call .float() first.")
    return x


def check_module(module: Any, what: str, kind: "type[Module] | None" = None) -> None:
    """Check the class of an argument.

    Args:
        module: the argument.
        what: the function that takes it, for the message.
        kind: the class that it must have; `Module` by default.

    Raises:
        OperandError: it has another class.
    """
    kind = Module if kind is None else kind
    if not isinstance(module, kind):
        raise OperandError(f"{what} takes a {kind.__name__}; got a {type(module).__name__}.")


def former_names(model: Module) -> dict[str, str]:
    """Return the names in Backlight 0.1 of a model's parameters and buffers, each with its present name.

    In runs of that version, the modules of a `Sequential` are called `layers.0`, and the weights of a recurrent layer
    `weight_input`. Names of enclosing modules change too: `hidden.layers.0.weight` is now `hidden.0.weight`.
    """
    check_module(model, "former_names")
    return {former: name for former, name in _former_names(model) if former != name}


def _former_names(module: Module) -> Iterator[tuple[str, str]]:
    for name, part in module.parts():
        former = module._former_name(name)
        if isinstance(part, Module):
            yield from ((f"{former}.{old}", f"{name}.{new}") for old, new in _former_names(part))
        else:
            yield former, name
