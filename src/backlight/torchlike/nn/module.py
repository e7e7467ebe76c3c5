"""`Module`: the base class of all layers and models, with the attributes and the text of PyTorch's."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final, Self

from backlight import autograd
from backlight import nn as backlight_nn
from backlight.autograd import Tensor
from backlight.autograd.flat import zero_gradients
from backlight.core import ConfigError, GraphError, MissingNameError, OperandError
from backlight.core.arguments import check_flag, shown
from backlight.core.missing import MODULE, missing_name
from backlight.torchlike.nn import conversion, hooks, state

_NAMES_OF_BACKLIGHT: Final = frozenset({"flat", "generators", "num_parameters", "parts", "set_rng"})
"""Methods that PyTorch's modules do not have, so a model can use these names for its own parts."""


class Module(backlight_nn.Module):
    """A layer or a model. Parameters, buffers and modules that are assigned to an attribute belong to it.

    As in PyTorch, a Python list or dict of modules is not searched: `ModuleList` and `ModuleDict` are for those.

    Attributes:
        training: True after `train()`, False after `eval()`; dropout and batch norm depend on it.
    """

    _parameters: dict[str, autograd.Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, backlight_nn.Module | None]

    def __init__(self) -> None:
        self.__dict__.update(
            training=True, _parameters={}, _buffers={}, _modules={}, _unsaved_buffers=set(), _pre_hooks={}, _hooks={}
        )

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        """Return the output for an input. Calling the module calls this method, which a subclass defines."""
        raise NotImplementedError(f"{type(self).__name__} must define forward().")

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        """Return `forward(*inputs, **settings)`, with the hooks before and after it."""
        if not self._pre_hooks and not self._hooks:
            return self.forward(*inputs, **settings)
        return hooks.call(self, inputs, settings)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> hooks.RemovableHandle:
        """Call `hook(module, inputs, output)` after each forward pass; a result other than None replaces the output."""
        return hooks.register(self._hooks, hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> hooks.RemovableHandle:
        """Call `hook(module, inputs)` before each forward pass; a result other than None replaces the inputs."""
        return hooks.register(self._pre_hooks, hook, prepend=prepend, with_kwargs=with_kwargs)

    # -- attributes ----------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, (autograd.Parameter, backlight_nn.Module)):
            is_parameter = isinstance(value, autograd.Parameter)
            if "_modules" not in own:
                raise GraphError(f"call super().__init__() in {type(self).__name__}.__init__ before self.{name} = ...")
            kind = "_parameters" if is_parameter else "_modules"
            if name not in own[kind]:  # one that is replaced keeps its place in the order
                self._forget(name)
            self._hold(kind, name, value)
            return
        for kind, wanted in (("_parameters", "Parameter"), ("_modules", "Module"), ("_buffers", "Tensor")):
            if name in own.get(kind, ()):
                if value is not None and not (kind == "_buffers" and isinstance(value, Tensor)):
                    raise OperandError(f"{name} must be a {wanted} or None; got a {type(value).__name__}.")
                self._hold(kind, name, value)
                return
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for kind in ("_parameters", "_buffers", "_modules"):
            held = self.__dict__.get(kind)
            if held is not None and name in held:
                return held[name]
        if name in MODULE:
            raise missing_name(type(self).__name__, name, MODULE)
        error = MissingNameError(f"{type(self).__name__!r} object has no attribute {name!r}.")
        error.name = name
        raise error

    def __delattr__(self, name: str) -> None:
        if not self._forget(name):
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _hold(self, kind: str, name: str, part: Any) -> None:
        """Keep a parameter, buffer or module under a name."""
        self.__dict__[kind][name] = part
        if name in _NAMES_OF_BACKLIGHT:  # a method would hide it
            self.__dict__[name] = part

    def _forget(self, name: str) -> bool:
        """Remove an attribute, and return whether there was one."""
        own = self.__dict__
        holders = (own, own["_parameters"], own["_buffers"], own["_modules"])
        found = [holder.pop(name) for holder in holders if name in holder]
        own["_unsaved_buffers"].discard(name)
        return bool(found)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained, such as a mask.

        Args:
            name: the attribute.
            tensor: (...) the tensor, or None.
            persistent: whether `state_dict()` contains it.

        Raises:
            OperandError: not a tensor.
            ConfigError: the name is taken, or contains a dot.
        """
        self._check_new(name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise OperandError(f"buffer {name!r} must be a tensor or None; got {shown(tensor)}.")
        self._hold("_buffers", name, tensor)
        if not persistent:
            self._unsaved_buffers.add(name)

    def register_parameter(self, name: str, param: autograd.Parameter | None) -> None:
        """Add a parameter under a name, or None for one that is left out. Raises: see `register_buffer`."""
        self._check_new(name, self._parameters)
        if param is not None and not isinstance(param, autograd.Parameter):
            raise OperandError(f"parameter {name!r} must be a torch.nn.Parameter or None; got {shown(param)}.")
        self._hold("_parameters", name, param)

    def add_module(self, name: str, module: backlight_nn.Module | None) -> None:
        """Add a module under a name. Raises: see `register_buffer`."""
        self._check_new(name, self._modules)
        if module is not None and not isinstance(module, backlight_nn.Module):
            raise OperandError(f"module {name!r} must be a torch.nn.Module; got {shown(module)}.")
        self._hold("_modules", name, module)

    register_module = add_module

    def _check_new(self, name: str, held: dict[str, Any]) -> None:
        taken = name not in held and name not in _NAMES_OF_BACKLIGHT and hasattr(self, str(name))
        if not isinstance(name, str) or not name or "." in name or taken:
            raise ConfigError(f"a name must be a new attribute without a dot; got {shown(name)}.")

    # -- what it consists of -------------------------------------------------------------------------------------------

    def parts(self) -> Iterator[tuple[str, Any]]:
        """Yield this module's own parameters and buffers, and its direct submodules, with their names."""
        own = chain(self._parameters.items(), self._buffers.items(), self._modules.items())
        return ((name, part) for name, part in own if part is not None)

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield each direct submodule once, with its name."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def named_modules(  # type: ignore[override]
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield this module and all of its submodules, with dotted names.

        Args:
            memo: modules to leave out; those that are yielded are added.
            prefix: put before the names.
            remove_duplicate: whether a module that is used in several places is yielded once.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(module, Module):
                yield from module.named_modules(memo, path, remove_duplicate)
            elif isinstance(module, backlight_nn.Module):
                yield from module.named_modules(path)

    def modules(self) -> Iterator[Any]:
        """Yield this module and all of its submodules."""
        return (module for _, module in self.named_modules())

    def _members(self, kind: str, prefix: str, *, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        for path, module in modules:
            for name, part in state.members(module, kind):
                if id(part) not in seen:
                    if remove_duplicate:
                        seen.add(id(part))
                    yield (f"{path}.{name}" if path else name), part

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield every parameter with its dotted name; only this module's own if `recurse` is false."""
        return self._members("_parameters", prefix, recurse=recurse, remove_duplicate=remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield every buffer with its dotted name; only this module's own if `recurse` is false."""
        return self._members("_buffers", prefix, recurse=recurse, remove_duplicate=remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Any]:  # type: ignore[override]
        """Yield every parameter; only this module's own if `recurse` is false."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """Yield every buffer; only this module's own if `recurse` is false."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Any:
        """Return the module with a dotted name; "" is this module."""
        module: Any = self
        for name in target.split(".") if target else ():
            module = getattr(module, name)
        return module

    def get_parameter(self, target: str) -> Any:
        """Return the parameter with a dotted name."""
        path, _, name = target.rpartition(".")
        return getattr(self.get_submodule(path), name)

    get_buffer = get_parameter

    # -- what is done with all of it -----------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """Call `fn(module)` for every submodule, then for this module, and return this module."""
        for _, module in self.named_children():
            module.apply(fn) if isinstance(module, Module) else fn(module)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training mode for this module and its submodules, and return this module."""
        check_flag(mode=mode)
        self.training = mode
        for _, module in self.named_children():
            module.train(mode)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether the parameters are trained, and return this module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: set them to None, or existing ones to 0 if `set_to_none` is false."""
        with_gradients = (parameter for parameter in self.parameters() if parameter._grad is not None)
        zero_gradients(list(with_gradients), set_to_none=set_to_none)

    def to(self, *target: Any, **settings: Any) -> Self:
        """Convert parameters and buffers of floats to a dtype, and return this module.

        Args:
            target: a dtype, a tensor of that dtype, or a device, which can only be the CPU; several of them in order.
            settings: `dtype` or `device` by keyword; `non_blocking` changes nothing.

        Raises:
            ConfigError: not a floating-point dtype, or another device.
        """
        conversion.convert(self, target, settings)
        return self

    def float(self) -> Self:
        """Convert to float32, and return this module."""
        return self.to("float32")

    def double(self) -> Self:
        """Convert to float64, and return this module."""
        return self.to("float64")

    def cpu(self) -> Self:
        """Return this module, which is on the CPU."""
        return self

    def compile(self, *_: Any, **__: Any) -> None:
        """Do nothing: in PyTorch it changes speed only."""

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Return all parameters and persistent buffers by dotted name, as tensors that share their arrays.

        Args:
            destination: a dict to fill; by default a new one.
            prefix: put before the names.
            keep_vars: whether to return the parameters themselves instead of tensors outside the graph.
        """
        return state.collected(self, destination, prefix, keep_vars=keep_vars)

    def load_state_dict(  # type: ignore[override]
        self, state_dict: Any, strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy values into all parameters and persistent buffers.

        Args:
            state_dict: tensors or arrays in the shapes of `state_dict()`, by name.
            strict: whether missing and unexpected names are an error.
            assign: must be False: values are copied, never taken over.

        Returns:
            The missing and the unexpected names.

        Raises:
            ConfigError: names that are missing or unexpected, or `assign`.
            ShapeError: a value of another shape.
            OperandError: not a mapping of tensors.
        """
        return state.load(self, state_dict, strict=strict, assign=assign)

    def __repr__(self) -> str:
        facts = self.extra_repr()
        lines = facts.split("\n") if facts else []
        children = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        return _in_brackets(self._get_name(), lines, children)

    def _get_name(self) -> str:
        return type(self).__name__


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _in_brackets(name: str, facts: list[str], children: list[str]) -> str:
    """Return a module's text: on one line if there is a single line of facts and no child."""
    if not facts and not children:
        return f"{name}()"
    if len(facts) == 1 and not children:
        return f"{name}({facts[0]})"
    return f"{name}(\n  " + "\n  ".join(facts + children) + "\n)"
