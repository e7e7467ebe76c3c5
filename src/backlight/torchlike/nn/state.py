"""The state of a module by dotted name: `state_dict` and `load_state_dict`."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from backlight.autograd import Buffer, Parameter, Tensor, as_array
from backlight.autograd.writes import WRITES
from backlight.core import Array, ConfigError, OperandError, ShapeError
from backlight.core.arguments import check_flag


class IncompatibleKeys(NamedTuple):
    """The names that a state lacks, and those that the module does not have."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def members(module: Any, kind: str) -> Iterator[tuple[str, Any]]:
    """Yield a module's own parameters ("_parameters") or buffers ("_buffers"), with their names."""
    held = vars(module).get(kind)
    if held is None:  # a layer of backlight.nn
        wanted = Parameter if kind == "_parameters" else Buffer
        return ((name, part) for name, part in module.parts() if isinstance(part, wanted))
    return ((name, part) for name, part in held.items() if part is not None)


def collected(module: Any, destination: dict[str, Any] | None, prefix: str, *, keep_vars: bool) -> dict[str, Any]:
    """Return parameters and persistent buffers by name: those of a module before those of its submodules."""
    found: dict[str, Any] = OrderedDict() if destination is None else destination
    for name, tensor in _saved(module, prefix):
        found[name] = tensor if keep_vars else Tensor._holding(tensor.array)
    return found


def _saved(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    unsaved = vars(module).get("_unsaved_buffers", ())
    for name, part in members(module, "_parameters"):
        yield f"{prefix}{name}", part
    for name, part in members(module, "_buffers"):
        if name not in unsaved:
            yield f"{prefix}{name}", part
    children = vars(module).get("_modules")
    for name, child in module.named_children() if children is None else children.items():
        if child is not None:
            yield from _saved(child, f"{prefix}{name}.")


def load(module: Any, state: Any, *, strict: bool, assign: bool) -> IncompatibleKeys:
    """Copy values into parameters and persistent buffers. Args: and Raises: see `Module.load_state_dict`."""
    check_flag(strict=strict, assign=assign)
    if assign:
        raise ConfigError("load_state_dict copies values; got assign=True, which is not supported. Leave it out.")
    if not isinstance(state, Mapping):
        raise OperandError(f"load_state_dict takes the result of state_dict(); got a {type(state).__name__}.")
    own = dict(_saved(module, ""))
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    name = type(module).__name__
    if strict and (missing or unexpected):
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"unexpected: {', '.join(map(str, unexpected))}"] if unexpected else []
        raise ConfigError(f"the state must have the names of {name}; {'; '.join(parts)}. strict=False ignores these.")
    arrays: dict[str, Array] = {key: as_array(state[key]) for key in own if key in state}
    for key, array in arrays.items():
        if own[key].array.shape != array.shape:
            raise ShapeError(f"{key} of {name} must have shape {own[key].array.shape}; got {array.shape}.")
    for key, array in arrays.items():
        np.copyto(own[key].array, array, casting="unsafe")
        WRITES.record(own[key].array)
    return IncompatibleKeys(missing, unexpected)
