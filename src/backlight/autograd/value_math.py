"""What the ops of a `Value` compute: their formulas, and the powers and angles that need care."""

import math
from typing import Final

from backlight.core import DomainError

Number = float | int

FORMULAS: Final = {
    "+": "y = a + b      dy/da = 1            dy/db = 1",
    "-": "y = a - b      dy/da = 1            dy/db = -1",
    "*": "y = a b        dy/da = b            dy/db = a",
    "/": "y = a / b      dy/da = 1/b          dy/db = -a/b²",
    "**": "y = aᵇ         dy/da = b aᵇ⁻¹       dy/db = aᵇ ln a",
    "neg": "y = -a         dy/da = -1",
    "exp": "y = eᵃ         dy/da = y",
    "log": "y = ln a       dy/da = 1/a",
    "tanh": "y = tanh a     dy/da = 1 - y²",
    "ReLU": "y = max(0, a)  dy/da = 1 if a > 0, else 0",
    "sigmoid": "y = 1/(1+e⁻ᵃ)  dy/da = y (1 - y)",
    "sin": "y = sin a      dy/da = cos a",
    "cos": "y = cos a      dy/da = -sin a",
    "dot": "y = b + w·x    dy/db = 1            dy/dw = x            dy/dx = w",
}
"""Each op's symbol (`Value._op`) with what it computes and its local derivatives."""

EXP_END: Final = 709.782712893384
"""e to a larger power is more than a float holds."""


def check_angle(angle: Number) -> None:
    """Raise DomainError for an infinite angle, which has no sine."""
    if math.isinf(angle):
        raise DomainError(f"an angle must be finite; got {angle!r}. Clip it, or look for what made it grow.")


def power(base: Number, exponent: Number) -> Number:
    """Return base ** exponent where that is one real, finite number."""
    if base == 0 and exponent < 0:
        raise DomainError(f"0 has no negative powers; got {base!r} ** {exponent!r}. Add a small number to the base.")
    if base < 0 and not float(exponent).is_integer():
        raise DomainError(f"a negative base needs a whole exponent; got {base!r} ** {exponent!r}.")
    try:
        return float(base**exponent) if isinstance(base, float) or exponent < 0 else base**exponent
    except OverflowError:
        raise DomainError(f"a power must stay below 1.8e308; got {base!r} ** {exponent!r}.") from None


def slope(base: Number, exponent: Number) -> Number:
    """Return the derivative of base ** exponent by the base: infinite where it stands upright, as √x at 0."""
    if not exponent:  # constant, also at base 0
        return 0.0
    try:
        return exponent * power(base, exponent - 1)
    except DomainError:
        upright = math.copysign(math.inf, exponent)
        return -upright if base < 0 and (exponent - 1) % 2 else upright
