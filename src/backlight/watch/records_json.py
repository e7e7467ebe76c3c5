"""Frozen dataclasses of plain values to JSON and back, by what their fields declare.

A float that is not finite becomes the string "NaN", "Infinity" or "-Infinity", which both Python's `float` and
JavaScript's `Number` read. Fields at their default are left out, so that a record is short and one of an older version
can be read; null is not written. In files of version 1 null stands for nan where a field is a float.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from backlight.core.errors import DataError

Record = TypeVar("Record")

_NOT_FINITE = ("NaN", "Infinity", "-Infinity")

DIGITS = 7
"""Significant digits that are written: what a float32 has."""


def to_json(record: Any) -> dict[str, Any]:
    """Return a record as values that JSON has."""
    return {
        field.name: _plain(value)
        for field in fields(record)
        if not _is_default(field, value := getattr(record, field.name))
    }


def from_json(kind: type[Record], values: Any) -> Record:
    """Return the record that `to_json` wrote.

    Raises:
        DataError: an entry is missing, unknown, or not of its field's type.
    """
    if not isinstance(values, Mapping):
        raise DataError(f"a {kind.__name__} is an object in JSON; got {values!r:.60}. Measure again.")
    declared: Any = kind
    hints = _hints(declared)
    wrong = [name for name in values if name not in hints] or [name for name in _needed(declared) if name not in values]
    if wrong:
        raise DataError(
            f"a {kind.__name__} has the entries {', '.join(hints)}; {wrong[0]!r} is unknown or missing. Measure again."
        )
    return kind(**{name: _built(hints[name], value, f"{kind.__name__}.{name}") for name, value in values.items()})


def _is_default(field: Field[Any], value: Any) -> bool:
    if field.default is not MISSING:
        return bool(value is field.default or (type(value) is type(field.default) and value == field.default))
    return field.default_factory is not MISSING and value == field.default_factory()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return list(value) if value and type(value[0]) is int else [_plain(one) for one in value]
    if isinstance(value, float):
        if math.isfinite(value):
            return float(f"{value:.{DIGITS}g}")
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _needed(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)


def _built(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _one_of(arguments, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[0] is int and {*map(type, value)} <= {int}:  # counts of histograms: most of what a file holds
            return tuple(value)
        return tuple(_built(arguments[0], one, where) for one in value)
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _built(arguments[1], one, where) for key, one in value.items()}
    if is_dataclass(hint):
        return from_json(hint, value)  # type: ignore[arg-type]
    if hint is float and (value is None or type(value) in {int, float} or value in _NOT_FINITE):
        return math.nan if value is None else float(value)
    if (origin is Literal and value in arguments) or (hint in {int, bool, str} and type(value) is hint):
        return value
    raise DataError(f"{where} cannot be {value!r:.60}. Measure again.")


def _one_of(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and NoneType in arguments:
        return None
    rest = [argument for argument in arguments if argument is not NoneType]
    if len(rest) == 1:
        return _built(rest[0], value, where)
    if float in rest and value in _NOT_FINITE and str not in rest:
        return float(value)
    if type(value) in rest:
        return value
    raise DataError(f"{where} cannot be {value!r:.60}. Measure again.")
