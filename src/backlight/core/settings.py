"""Settings of a configuration: a field of a frozen dataclass carries its own help and range.

    @dataclass(frozen=True, kw_only=True)
    class MLPConfig(ModelConfig):
        context: int = setting("Context length in characters.", default=6, at_least=1, at_most=MOST)

`check_settings` checks every field against its annotation and range, and the command line makes its options from the
same fields, so a setting is declared once.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from backlight.core.errors import ConfigError

MOST_ITEMS: Final = 100
"""The maximum number of elements of a setting that is a list."""

RENAMED: Final = {
    "average": "ema_decay", "clip": "grad_clip", "evaluate_every": "eval_interval", "channels": "n_embd",
    "layers": "n_layer", "heads": "n_head",
}  # fmt: skip
"""Settings by their names in Backlight 0.1, which its run folders use and the command line still accepts."""

Kind = TypeVar("Kind")

_SETTING: Final = "setting"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The help text and the range of a setting.

    Attributes:
        help: one sentence, as `--help` prints it.
        at_least, above: inclusive and exclusive lower bound; None is no bound.
        at_most, below: inclusive and exclusive upper bound; None is no bound.
        remedy: the last sentence of the error for a value that is out of range.
    """

    help: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    remedy: str = "Leave it out for the default."

    def holds(self, value: float) -> bool:
        """Return whether a number is in the range. NaN never is; infinity is only if `above` is the only bound."""
        bounded = self.at_least is None or self.at_most is not None or self.below is not None
        if not bounded and isinstance(value, float) and not math.isfinite(value):
            return False
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def range(self, *, whole: bool) -> str:
        """Return the range in words, to follow "must be". Set `whole` for a whole number."""
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:,} to {self.at_most:,}"
        if self.at_least is not None and self.below is None:
            return f"{'' if whole else 'a finite number, '}{self.at_least:,} or more"
        low = f"at least {self.at_least:,}" if self.at_least is not None else f"above {self.above:,}"
        if self.at_most is not None:
            return f"{low} and at most {self.at_most:,}"
        return low if self.below is None else f"{low} and below {self.below:,}"


def setting(help: str, *, default: Any = MISSING, **about: Any) -> Any:  # noqa: A002  (the word that argparse has)
    """Return a dataclass field with a `Setting`. Further keyword arguments are attributes of `Setting`."""
    return field(default=default, metadata={_SETTING: Setting(help=help, **about)})


def settings_in(config: type) -> dict[str, tuple[Field[Any], Any, Setting]]:
    """Return the field, type and `Setting` of each field that has a `Setting`, by name."""
    return {
        one.name: (one, hint, one.metadata[_SETTING]) for one, hint in _typed_fields(config) if _SETTING in one.metadata
    }


def check_settings(config: Any) -> None:
    """Check each field of a frozen dataclass. Call it in `__post_init__`.

    Lists become tuples and NumPy scalars become Python numbers, so values may come from JSON or from an array.

    Raises:
        ConfigError: a value has the wrong type, or is out of range.
    """
    kind: type = type(config)
    for one, hint in _typed_fields(kind):
        value = plain = getattr(config, one.name)
        if isinstance(value, np.generic):
            plain = value.item()
        elif isinstance(value, list) and tuple in {get_origin(kind) for kind in (hint, *get_args(hint))}:
            plain = tuple(value)
        about: Setting | None = one.metadata.get(_SETTING)
        _check(one.name, plain, hint, about or Setting(help="", remedy="Correct it."))
        if plain is not value:
            object.__setattr__(config, one.name, plain)


def _check(name: str, value: Any, hint: Any, about: Setting) -> None:
    if not fits(value, hint):
        raise ConfigError(f"{name} must be {_words(hint)}; got {_short(value)}. {about.remedy}")
    numbers: Sequence[Any] = value if isinstance(value, tuple) else (value,)
    if not 1 <= len(numbers) <= MOST_ITEMS:
        raise ConfigError(f"{name} must have from 1 to {MOST_ITEMS} numbers; got {len(numbers)}. {about.remedy}")
    for number in numbers:
        if isinstance(number, int | float) and not isinstance(number, bool) and not about.holds(number):
            raise ConfigError(
                f"{name} must be {about.range(whole=isinstance(number, int))}; got {_short(number)}. {about.remedy}"
            )


def check_whole(name: str, value: Any, *, at_least: int, at_most: int | None = None) -> None:
    """Check that an argument is a whole number in a range.

    Args:
        name: the argument's name, for the message.
        value: the argument.
        at_least: inclusive lower bound.
        at_most: inclusive upper bound; None is no bound.

    Raises:
        ConfigError: it is not.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    _check(name, plain, int, Setting(help="", at_least=at_least, at_most=at_most, remedy="Choose another."))


def from_json(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Build a dataclass from JSON values and check it. Lists become tuples, and objects become nested dataclasses.

    Raises:
        ConfigError: an entry is missing, unknown, of the wrong type or out of range.
    """
    given, whole = dict(values), _typed_fields(cast("type", kind))
    for one, hint in whole:
        inner = next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
        if one.name not in given:
            if one.default is MISSING and one.default_factory is MISSING:
                raise ConfigError(f"{one.name} is missing.")
        elif isinstance(inner, type) and isinstance(given[one.name], Mapping):
            given[one.name] = from_json(inner, given[one.name])
    unknown = given.keys() - {one.name for one, _ in whole}
    if unknown:
        raise ConfigError(f"{min(map(str, unknown))!r} is unknown.")
    made = kind(**given)
    check_settings(made)
    return made


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value has an annotated type. A whole number is also a number."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin is tuple:
        hints = [arguments[0]] * len(value) if isinstance(value, tuple) and arguments[-1] is Ellipsis else arguments
        return isinstance(value, tuple) and len(value) == len(hints) and all(map(fits, value, hints))
    if hint in {int, float}:
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    return hint is Any or isinstance(value, NoneType if hint is None else origin or hint)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a sentence that suggests the names closest to a mistyped name, or lists all of them."""
    known = list(names)
    near = get_close_matches(name, known, n=2)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."


@lru_cache
def _typed_fields(kind: type) -> tuple[tuple[Field[Any], Any], ...]:
    hints = get_type_hints(kind)
    return tuple((one, hints[one.name]) for one in fields(kind))


def _words(hint: Any) -> str:
    """Return a type in words, to follow "must be"."""
    arguments = get_args(hint)
    if get_origin(hint) in {Union, UnionType}:
        return " or ".join(_words(argument) for argument in arguments)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(arguments)}"
    if get_origin(hint) is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a list of {count}{'whole numbers' if arguments[0] is int else 'numbers'}"
    if is_dataclass(hint):
        return "an object"
    names = {
        int: "a whole number", float: "a number", bool: "True or False", str: "a string", NoneType: "None",
        Mapping: "a mapping",
    }  # fmt: skip
    return names.get(get_origin(hint) or hint, "something else")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
