"""Letters, numbers and white space of the splitting patterns, in one version of Unicode for every Python."""

import re
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backlight.core import ConfigError
from backlight.text.codepoints import CODE_POINTS
from backlight.text.tokenizers.unicode_table import LETTERS, NUMBERS, SPACES, VERSION

__all__ = ["VERSION", "character_classes", "compiled"]

_RANGES: Final = {r"\p{L}": LETTERS, r"\p{N}": NUMBERS, r"\s": SPACES}
_NOT: Final = {r"\P{L}": r"\p{L}", r"\P{N}": r"\p{N}", r"\S": r"\s"}
_PART: Final = re.compile(r"\\[pP]\{\^?\w+\}|\\[pP]\w|\\.|\[\^?|\}\+|.", re.DOTALL)
_SAME: Final = {rf"\{one}" for one in "nrtfvz"}  # escapes with the same meaning in every engine


@lru_cache(maxsize=1)
def character_classes() -> NDArray[np.uint8]:
    """Return 1 for each letter, 2 for a number, 3 for white space, 0 for anything else. Shape: (0x110000,)."""
    classes = np.zeros(CODE_POINTS, np.uint8)
    for number, table in enumerate(_RANGES.values(), start=1):
        for one in table.split():
            first, _, last = one.partition("-")
            classes[int(first, 16) : int(last or first, 16) + 1] = number
    return classes


@lru_cache(maxsize=16)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""Compile a splitting pattern with Python's `re`, which has no `\p{L}` and another `\s`.

    Args:
        pattern: a regular expression in the syntax of tiktoken and Hugging Face. It may use `\p{L}`, `\p{N}`, `\s` and
            their complements, groups, repetition and look-ahead.

    Raises:
        ConfigError: it is not a regular expression, or uses syntax whose meaning differs between engines.
    """
    parts, inside = [], False
    for part in _PART.findall(pattern):
        if part in _RANGES:
            parts.append(_spelled(part) if inside else f"[{_spelled(part)}]")
        elif part in _NOT and not inside:
            parts.append(f"[^{_spelled(_NOT[part])}]")
        elif _differs(part, inside=inside):
            raise _unsuitable(pattern, part)
        else:
            inside = part[0] == "[" or (inside and part != "]")
            parts.append(r"\Z" if part == r"\z" else part)
    try:
        return re.compile("".join(parts))
    except re.error as error:
        raise ConfigError(
            f"pattern must be a regular expression; got {_on_a_line(pattern)!r}: {error.msg}. Correct it."
        ) from None


def _differs(part: str, *, inside: bool) -> bool:
    """Return whether engines interpret a part differently, such as `{1,3}+`, `$` and nested classes."""
    if part[0] == "\\":
        return part[1].isalnum() and part not in _SAME
    return part[0] == "[" if inside else part in {"^", "$", ".", "}+"}


def _spelled(name: str) -> str:
    """Return the ranges of a class, to be put into `[...]`."""
    bounds = (one.partition("-") for one in _RANGES[name].split())
    return "".join(
        f"\\U{int(first, 16):08x}" + (f"-\\U{int(last, 16):08x}" if last else "") for first, _, last in bounds
    )


def _unsuitable(pattern: str, part: str) -> ConfigError:
    return ConfigError(
        rf"pattern may use \p{{L}}, \p{{N}} and \s, and nothing that engines interpret differently; got"
        f" '{_on_a_line(part)}' in '{_on_a_line(pattern)}'. Use 'gpt2' or 'gpt4', or spell it out."
    )


def _on_a_line(pattern: str) -> str:
    shown = pattern.replace("\n", "\\n").replace("\r", "\\r")
    return shown if len(shown) <= 100 else shown[:97] + "..."
