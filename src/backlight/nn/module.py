"""What all layers and models share: they find their own parameters and can be saved, loaded and called."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Buffer, Parameter, Tensor
from backlight.autograd.flat import FlatParameters
from backlight.core import Array, ConfigError, ShapeError
from backlight.nn.kind import OTHER
from backlight.nn.kind import Kind as LayerKind

Kind = TypeVar("Kind", Parameter, Buffer)
Hook = Callable[["Module", tuple[Any, ...], Tensor], None]


class Module:
    """A layer or a model. Parameters and Modules that are its attributes, also inside lists and dicts, belong to it.

    Attributes:
        training: True after `train()`, False after `eval()`; layers such as dropout differ between the two.
    """

    layer_kind: ClassVar[LayerKind] = OTHER
    """What a layer does; every layer of this package says so. A model is "other"."""
    training: bool = True
    _forward_hooks: tuple[Hook, ...] = ()

    def forward(self, x: Any) -> Tensor:
        """Return the output for an input; calling the module does this."""
        raise NotImplementedError(f"{type(self).__name__} must define forward().")

    def __call__(self, x: Any, *more: Any, **settings: Any) -> Tensor:
        """Return `forward(x)`, after every hook has seen it."""
        out = self.forward(x, *more, **settings)
        for hook in self._forward_hooks:
            hook(self, (x, *more), out)
        return out

    def register_forward_hook(self, hook: Hook) -> Callable[[], None]:
        """Let `hook(module, inputs, output)` be called after each forward pass. Returns what takes it off again."""
        self._forward_hooks = (*self._forward_hooks, hook)

        def remove() -> None:
            left = tuple(one for one in self._forward_hooks if one is not hook)
            if left:
                self._forward_hooks = left
            elif "_forward_hooks" in vars(self):
                del self._forward_hooks

        return remove

    def parts(self) -> Iterator[tuple[str, "Module | Parameter | Buffer"]]:
        """Yield this module's own parameters and buffers, and the modules one level down, with their names."""
        for name, part in vars(self).items():
            yield from _inside(name, part)

    def children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the modules one level down, with their names."""
        yield from ((name, part) for name, part in self.parts() if isinstance(part, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all below it, with dotted names."""
        yield prefix, self
        for name, child in self.children():
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
        """Yield every buffer once, with its dotted name: what is kept but not learnt, such as running means."""
        return self._named(Buffer)

    def parameters(self) -> list[Parameter]:
        """Return every parameter once."""
        return [parameter for _, parameter in self.named_parameters()]

    def num_parameters(self) -> int:
        """Return how many numbers are learnt."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flat(self) -> FlatParameters:
        """Return the parameters as one array and their gradients as another."""
        return FlatParameters.of(self.parameters())

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and below, and return this module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Leave training mode here and below, and return this module."""
        return self.train(mode=False)

    def to(self, dtype: DTypeLike) -> Self:
        """Change the dtype of all parameters and buffers; gradients are forgotten. Returns this module."""
        for _, buffer in self.named_buffers():
            buffer.array = buffer.array.astype(dtype)
        for parameter in self.parameters():
            parameter.zero_grad()
            parameter._grad_home = None
            parameter.array = parameter.array.astype(dtype)
        return self

    def set_rng(self, rng: np.random.Generator) -> Self:
        """Let all layers that draw by chance, such as dropout, draw from this generator. Returns this module."""
        for _, module in self.named_modules():
            if hasattr(module, "rng"):
                module.rng = rng
        return self

    def generators(self) -> list[np.random.Generator]:
        """Return the generators that layers here and below draw from, each once."""
        found = (getattr(module, "rng", None) for _, module in self.named_modules())
        return list({id(rng): rng for rng in found if isinstance(rng, np.random.Generator)}.values())

    def _state(self) -> dict[str, Parameter | Buffer]:
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and buffers by name."""
        return {name: np.array(tensor.array) for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take all parameters and buffers from arrays.

        Raises:
            ConfigError: a name is missing or unknown.
            ShapeError: an array has another shape.
        """
        own = self._state()
        if own.keys() != state.keys():
            odd = sorted(own.keys() ^ state.keys())
            raise ConfigError(f"weights must have the model's names; these are on one side only: {', '.join(odd)}.")
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise ShapeError(f"{name} has shape {tensor.shape}; got weights of shape {state[name].shape}.")
        for name, tensor in own.items():
            tensor.array[...] = state[name]

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children()]
        return f"{type(self).__name__}({self.extra_repr()}" + ("\n" + "\n".join(lines) + "\n" if lines else "") + ")"

    def extra_repr(self) -> str:
        """Return the sizes that tell this layer from others of its kind, for printing."""
        return ""


def _inside(name: str, part: Any) -> Iterator[tuple[str, Module | Parameter | Buffer]]:
    """Yield what an attribute holds of a module, however deep its lists and dicts are nested."""
    if isinstance(part, (Module, Parameter, Buffer)):
        yield name, part
    elif isinstance(part, (list, tuple)):
        for place, one in enumerate(part):
            yield from _inside(f"{name}.{place}", one)
    elif isinstance(part, dict):
        for key, one in part.items():
            yield from _inside(f"{name}.{key}", one)
