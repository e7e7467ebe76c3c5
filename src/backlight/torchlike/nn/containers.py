"""Modules that hold other modules or parameters: in sequence, in a list, or by name."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import index
from typing import Any, Self

from backlight import autograd
from backlight import nn as backlight_nn
from backlight.core import ConfigError, IndexingError, OperandError
from backlight.core.arguments import shown
from backlight.nn.kind import Kind
from backlight.torchlike.nn.module import Module, _in_brackets, _indented
from backlight.torchlike.nn.parameter import Parameter


class _Sequence(Module):
    """What `Sequential` and `ModuleList` share: modules by number."""

    layer_kind = Kind("container")

    def _at(self, at: Any) -> str:
        try:
            number = index(at)
        except TypeError:
            number = None
        if number is None or not -len(self) <= number < len(self):
            raise IndexingError(
                f"the index must be in 0..{len(self) - 1}; got {shown(at)}. Use -1 for the last module."
            )
        return list(self._modules)[number]

    def _replace(self, modules: Iterable[Any]) -> None:
        kept = [_module(module, type(self).__name__) for module in modules]
        self._modules.clear()
        self._modules.update((str(i), module) for i, module in enumerate(kept))

    def _made_of(self, modules: list[Any]) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return self._made_of(list(self._modules.items())[at])
        return self._modules[self._at(at)]

    def __setitem__(self, at: Any, module: Any) -> None:
        self._modules[self._at(at)] = _module(module, type(self).__name__)

    def __delitem__(self, at: Any) -> None:
        gone = [name for name, _ in list(self._modules.items())[at]] if isinstance(at, slice) else [self._at(at)]
        numbered = list(self._modules) == [str(i) for i in range(len(self))]
        for name in gone:
            del self._modules[name]
        if numbered:
            self._replace(list(self._modules.values()))

    def append(self, module: Any) -> Self:
        """Add a module at the end, and return this one."""
        self._modules[str(len(self))] = _module(module, type(self).__name__)
        return self

    def extend(self, modules: Iterable[Any]) -> Self:
        """Add modules at the end, and return this one."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Any) -> Self:
        """Add a module before an index, and return this one."""
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._replace(modules)
        return self

    def pop(self, key: int = -1) -> Any:
        """Remove the module at an index, and return it."""
        module = self[key]
        del self[key]
        return module


class Sequential(_Sequence):
    """Apply modules in sequence, each to the output of the one before.

    Args:
        modules: the modules in order; or one dict of them by name.

    Raises:
        OperandError: something that is not a module.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Iterable[tuple[str, Any]] = modules[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(modules))
        for name, module in named:
            self.add_module(name, _module(module, "Sequential"))

    def _made_of(self, modules: list[Any]) -> Any:
        return type(self)(OrderedDict(modules))

    def forward(self, input: Any) -> Any:
        """Return the last module's output."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input


class ModuleList(_Sequence):
    """A list of modules whose parameters belong to the model.

    Args:
        modules: the modules.

    Raises:
        OperandError: something that is not a module.
    """

    def __init__(self, modules: Iterable[Any] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _made_of(self, modules: list[Any]) -> Any:
        return type(self)(module for _, module in modules)

    def __add__(self, other: Iterable[Any]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __iadd__(self, modules: Iterable[Any]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        runs = [(text, len(list(same))) for text, same in groupby(map(repr, self))]
        lines, start = [], 0
        for text, count in runs:
            last = start + count - 1
            lines.append(f"({start}): {text}" if count == 1 else f"({start}-{last}): {count} x {text}")
            start += count
        return _in_brackets(self._get_name(), [], [_indented(line) for line in lines])


class _ByName(Module):
    """Parts by name, as in a dict: those that `ModuleDict` and `ParameterDict` hold.

    A subclass defines `_kind`: the table of the module that holds them.
    """

    layer_kind = Kind("container")
    _kind: str

    @property
    def _held(self) -> dict[str, Any]:
        held: dict[str, Any] = self.__dict__[self._kind]
        return held

    def __getitem__(self, name: str) -> Any:
        if name not in self._held:
            raise ConfigError(f"the name must be one of {', '.join(self._held) or 'none'}; got {shown(name)}.")
        return self._held[name]

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._held.keys()

    def values(self) -> Iterable[Any]:
        """Return the parts."""
        return self._held.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the names and the parts."""
        return self._held.items()

    def pop(self, key: str) -> Any:
        """Remove the part with a name, and return it."""
        part = self[key]
        del self._held[key]
        return part

    def clear(self) -> None:
        """Remove all parts."""
        self._held.clear()


class ModuleDict(_ByName):
    """Modules by name, whose parameters belong to the model.

    Args:
        modules: the modules by name, as a dict or as pairs.

    Raises:
        OperandError: something that is not a module.
    """

    _kind = "_modules"

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def update(self, modules: Any) -> None:
        """Add modules by name, given as a dict or as pairs."""
        items = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for name, module in items:
            self[name] = module

    def __setitem__(self, name: str, module: Any) -> None:
        self.add_module(name, _module(module, "ModuleDict"))


class ParameterList(Module):
    """A list of parameters that belong to the model. A tensor that is given becomes a parameter."""

    layer_kind = Kind("container")

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def append(self, value: Any) -> Self:
        """Add a parameter at the end, and return this list."""
        self._parameters[str(len(self))] = _parameter(value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end, and return this list."""
        for value in list(values):
            self.append(value)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, at: int | slice) -> Any:
        held = list(self._parameters.values())
        try:
            return ParameterList(held[at]) if isinstance(at, slice) else held[at]
        except (IndexError, TypeError):
            raise IndexingError(f"the index must be in 0..{len(self) - 1}; got {shown(at)}.") from None

    def __setitem__(self, at: int, value: Any) -> None:
        self[at]  # checks the index
        self._parameters[str(at % len(self))] = _parameter(value)

    def extra_repr(self) -> str:
        """Return dtype and size of each parameter."""
        facts = ((name, one, f"torch.{one.array.dtype}") for name, one in self._parameters.items() if one is not None)
        return "\n".join(_line(*fact) for fact in facts)


class ParameterDict(_ByName):
    """Parameters by name, which belong to the model. A tensor that is given becomes a parameter."""

    _kind = "_parameters"

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        for name, value in (parameters or {}).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        self.register_parameter(name, _parameter(value))

    def extra_repr(self) -> str:
        """Return type and size of each parameter."""
        kinds = {4: "torch.FloatTensor", 8: "torch.DoubleTensor"}
        held = ((name, one) for name, one in self._parameters.items() if one is not None)
        return "\n".join(_line(name, one, kinds[one.array.itemsize]) for name, one in held)


def _line(name: str, parameter: Any, kind: str) -> str:
    return f"  ({name}): Parameter containing: [{kind} of size {'x'.join(map(str, parameter.array.shape))}]"


def _parameter(value: Any) -> autograd.Parameter:
    return value if isinstance(value, autograd.Parameter) else Parameter(value)


def _module(module: Any, what: str) -> Any:
    if not isinstance(module, backlight_nn.Module):
        raise OperandError(f"{what} takes modules, such as Linear(2, 3); got {shown(module)}.")
    return module
