"""The format of numbers in explanations: about four digits, at most ten characters."""

import math

_SMALLEST, _LARGEST = 1e-3, 1e6


def short(number: float) -> str:
    """Return a number with about four digits in at most ten characters: 0.7071, -1.5, 12346, 1.23e-5."""
    number = float(number)
    if not math.isfinite(number):
        return str(number)
    size = abs(number)
    if size == 0:
        return "0"
    if _SMALLEST <= size < _LARGEST:
        decimals = max(0, 3 - math.floor(math.log10(size)))
        text = f"{number:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{number:.2e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def shape(sizes: tuple[int, ...]) -> str:
    """Return a shape as in Python, without the trailing comma of a single axis: (32, 8), (27), ()."""
    return f"({', '.join(map(str, sizes))})"


def superscript(number: float) -> str:
    """Return an exponent in superscript digits, or after a ^ if it is not a whole number: ², ⁻¹, ^0.5."""
    if number == int(number):
        return str(int(number)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"^{short(number)}"
