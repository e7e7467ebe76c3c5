"""Sums of products by a formula of letters, such as "bid,bjd->bij"."""

from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array


class EinSum(Op):
    """y = Σ a b ..., where a letter names an axis; axes whose letter is not in the result are summed over.

    The gradient of a factor is the same sum of the result's gradient and the other factors.
    """

    name = "einsum"
    formula = "y = Σ a b ... over the letters that are not in y;  da = Σ dy b ... over those that are not in a"
    fits = "one letter for each axis, no letter twice in a factor, and equal lengths for equal letters"

    @staticmethod
    def forward(*factors: Array, letters: tuple[str, ...], result: str) -> tuple[Array, Any]:
        formula = f"{','.join(letters)}->{result}"
        return np.einsum(formula, *factors, optimize=True), (factors, letters, result)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, ...]:
        factors, letters, result = saved
        gradients = []
        for at, (own, factor) in enumerate(zip(letters, factors, strict=True)):
            others = [(letters[i], factors[i]) for i in range(len(factors)) if i != at]
            known = result + "".join(names for names, _ in others)
            kept = "".join(letter for letter in own if letter in known)
            formula = f"{','.join([result, *(names for names, _ in others)])}->{kept}"
            part = np.einsum(formula, dy, *(array for _, array in others), optimize=True)
            # a letter that only this factor has is summed over: its gradient is repeated
            where = tuple(slice(None) if letter in known else None for letter in own)
            gradients.append(np.broadcast_to(part[where], factor.shape))
        return tuple(gradients)
