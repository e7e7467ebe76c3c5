"""The text of a tensor, laid out as PyTorch lays it out.

All elements have one format. Whole numbers print as `3.`; numbers whose sizes differ by more than 1,000, or that are
below 1e-4 or above 1e8, in scientific form; others with four decimals. Lines hold at most 80 characters. Of a tensor
with more than 1,000 elements, only the first and last three along each axis are shown. `set_printoptions` changes this.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from backlight.core import Array, ConfigError
from backlight.core.arguments import shown


@dataclass
class PrintOptions:
    """How tensors are printed.

    Attributes:
        precision: digits after the point.
        threshold: from more elements than these, the inner ones are left out.
        edgeitems: how many elements at each end of an axis remain then.
        linewidth: characters per line.
        sci_mode: whether to use the scientific form; None decides by the numbers.
    """

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS: Final = PrintOptions()
_PROFILES: Final = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is not given stays as it is, except `sci_mode`, as in PyTorch.

    Args:
        precision: digits after the point, 4 by default.
        threshold: from more elements than these, the inner ones are left out, 1000 by default.
        edgeitems: how many elements at each end of an axis remain then, 3 by default.
        linewidth: characters per line, 80 by default.
        profile: "default", "short" or "full": all of these at once.
        sci_mode: whether to use the scientific form; None decides by the numbers.

    Raises:
        ConfigError: an unknown profile, or a number that is negative or not whole.
    """
    if profile is not None:
        if not isinstance(profile, str) or profile not in _PROFILES:
            raise ConfigError(f"profile must be 'default', 'short' or 'full'; got {shown(profile)}.")
        for name, setting in asdict(_PROFILES[profile]).items():
            setattr(OPTIONS, name, setting)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, number in given.items():
        if number is None:
            continue
        whole = isinstance(number, (int, np.integer)) or (name == "threshold" and number == math.inf)
        if not whole or number < 0:
            raise ConfigError(f"{name} must be a whole number of at least 0; got {shown(number)}.")
        setattr(OPTIONS, name, number)
    OPTIONS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the settings of `set_printoptions` by name."""
    return asdict(OPTIONS)


@contextmanager
def printoptions(**settings: Any) -> Iterator[None]:
    """Set how tensors are printed inside a `with` block. Args: see `set_printoptions`."""
    before = get_printoptions()
    set_printoptions(**settings)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_text(array: Array, notes: list[str], prefix: str = "tensor(") -> str:
    """Return the text of a tensor: its elements, and what else is to be said of it.

    Args:
        array: (...) the elements.
        notes: facts after the elements, such as "requires_grad=True".
        prefix: what comes before the elements.
    """
    usual = {np.dtype(np.float32)} if array.size == 0 else {np.dtype(t) for t in (np.float32, np.int64, np.bool_)}
    facts = [] if array.dtype in usual else [f"dtype=torch.{array.dtype.name}"]
    if (array.size == 0 and array.ndim != 1) or (array.size and not OPTIONS.edgeitems):
        facts.insert(0, f"size={tuple(array.shape)}")
    text = prefix + _elements(array, len(prefix))
    column = len(text) - text.rfind("\n") + 1  # as PyTorch counts it
    for fact in facts + notes:
        if column + len(fact) + 2 > OPTIONS.linewidth:
            text += ",\n" + " " * len(prefix) + fact
            column = len(prefix) + len(fact)
        else:
            text += ", " + fact
            column += len(fact) + 2
    return text + ")"


def _elements(array: Array, indent: int) -> str:
    if not array.size:
        return "[]"
    cut = array.size > OPTIONS.threshold
    width, show = _format_of(_edges(array) if cut else array)
    return _rows(array, indent, cut, width, show)


def _edges(array: Array) -> Array:
    """Return the elements that remain visible when the inner ones are left out."""
    for axis, length in enumerate(array.shape):
        if length > 2 * OPTIONS.edgeitems:
            ends = [*range(OPTIONS.edgeitems), *range(length - OPTIONS.edgeitems, length)]
            array = np.take(array, ends, axis)
    return array


def _format_of(array: Array) -> tuple[int, Callable[[Any], str]]:
    """Return the width of an element, and the function that writes one."""
    if array.dtype.kind != "f":
        width = max([1, *(len(str(number)) for number in array.reshape(-1).tolist())])
        return width, lambda number: f"{number}".rjust(width)
    counted = array[np.isfinite(array) & (array != 0)].astype(np.float64)
    places, scientific, whole = OPTIONS.precision, False, True
    if counted.size:
        sizes = np.abs(counted)
        with np.errstate(over="ignore"):
            wide = sizes.max() / sizes.min() > 1000 or sizes.max() > 1e8 or sizes.min() < 1e-4
        scientific = bool(wide) if OPTIONS.sci_mode is None else OPTIONS.sci_mode
        whole = bool((counted == np.ceil(counted)).all())

    def written(number: float) -> str:
        if scientific:
            return f"{number:.{places}e}"
        if whole:
            return f"{number:.0f}." if math.isfinite(number) else f"{number}"
        return f"{number:.{places}f}"

    # infinities, nan and zeros do not count for the width, as in PyTorch
    width = max([1, *map(len, map(written, counted.tolist()))])
    return width, lambda number: written(number).rjust(width)


def _rows(array: Array, indent: int, cut: bool, width: int, show: Callable[[Any], str]) -> str:
    """Return the elements in brackets, the lines after the first indented by `indent` + 1 spaces."""
    if array.ndim == 0:
        return show(array.item())
    ends = OPTIONS.edgeitems
    shortened = cut and len(array) > 2 * ends
    if array.ndim > 1:
        shown_rows = [*range(ends), *range(len(array) - ends, len(array))] if shortened else range(len(array))
        rows = [_rows(array[i], indent + 1, cut, width, show) for i in shown_rows]
        if shortened:
            rows.insert(ends, "...")
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"
    if cut and not ends:
        words = ["..."]
    elif shortened:
        words = [*map(show, array[:ends].tolist()), " ...", *map(show, array[-ends:].tolist())]
    else:
        words = [*map(show, array.tolist())]
    per_line = max(1, (OPTIONS.linewidth - indent) // (width + 2))
    lines = [", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
