"""The small GPT of lesson 11: its weights, its forward pass, and local derivatives of arrays for the walk of lesson 1.

One block, with batch norm in place of layer norm and tanh in its MLP, so that each part is one that the course's
exercises differentiate by hand.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray

Weights = dict[str, FloatArray]
"""The weights by name; `first_weights` has their shapes."""


def first_weights(V: int, T: int, C: int, H: int, rng: np.random.Generator, dtype: Any = np.float32) -> Weights:
    """Return initial weights, by name.

    Args:
        V: characters.
        T: positions.
        C: channels.
        H: hidden units of the MLP.
        rng: draws them.
        dtype: of the arrays.

    Returns: `token` (V, C), `position` (T, C), `gain1`, `shift1` (C,), `Wq`, `Wk`, `Wv` (C, C), `gain2`, `shift2` (C,),
    `W1` (C, H), `b1` (H,), `W2` (H, C), `b2` (C,), `W3` (C, V), `b3` (V,).
    """
    weights = {"token": rng.normal(0, 0.1, (V, C)), "position": rng.normal(0, 0.1, (T, C))}
    weights |= {"gain1": np.ones(C), "shift1": np.zeros(C)}
    weights |= {name: rng.normal(0, C**-0.5, (C, C)) for name in ("Wq", "Wk", "Wv")}
    weights |= {"gain2": np.ones(C), "shift2": np.zeros(C)}
    weights |= {"W1": rng.normal(0, C**-0.5, (C, H)), "b1": np.zeros(H)}
    weights |= {"W2": rng.normal(0, H**-0.5, (H, C)), "b2": np.zeros(C)}
    weights |= {"W3": rng.normal(0, 0.01, (C, V)), "b3": np.zeros(V)}
    return {name: array.astype(dtype) for name, array in weights.items()}


def standardise(x: FloatArray, layer: int) -> tuple[FloatArray, FloatArray]:
    """Return x (B, T, C) with mean 0 and variance 1 in each channel, and rstd (C,), as in lesson 5."""
    del layer  # the same for both layers
    rows = x.reshape(-1, x.shape[-1])
    rstd = (rows.var(0, ddof=1) + 1e-5) ** -0.5
    return (x - rows.mean(0)) * rstd, rstd


def forward(
    weights: Weights, x: IntArray, heads: int, attention: Callable[..., FloatArray],
    norm: Callable[[FloatArray, int], tuple[FloatArray, Any]] = standardise,
) -> SimpleNamespace:  # fmt: skip
    """Return all steps of the forward pass.

    Args:
        weights: those of `first_weights`.
        x: ids (B, T).
        heads: number of heads.
        attention: `all_heads` of exercise 7.1.
        norm: normalises (B, T, C); its second argument is 1 or 2, the layer.
    """
    s = SimpleNamespace()
    s.vectors = weights["token"][x] + weights["position"][: x.shape[1]]
    s.normal1, s.rstd1 = norm(s.vectors, 1)
    s.scaled1 = weights["gain1"] * s.normal1 + weights["shift1"]
    s.read = attention(s.scaled1, weights["Wq"], weights["Wk"], weights["Wv"], heads)
    s.after1 = s.vectors + s.read
    s.normal2, s.rstd2 = norm(s.after1, 2)
    s.scaled2 = weights["gain2"] * s.normal2 + weights["shift2"]
    s.hidden = np.tanh(s.scaled2 @ weights["W1"] + weights["b1"])
    s.after2 = s.after1 + s.hidden @ weights["W2"] + weights["b2"]
    s.logits = s.after2 @ weights["W3"] + weights["b3"]
    return s


class Rule:
    """A local derivative of an array: multiplied by the gradient from above, it gives the gradient of a parent.

    So a walk that computes `local * gradient` for numbers does the same for arrays.
    """

    __array_ufunc__ = None  # NumPy leaves `array * rule` to __rmul__

    def __init__(self, back: Callable[[Any], Any]) -> None:
        self.back = back

    def __mul__(self, above: Any) -> Any:
        return self.back(above)

    __rmul__ = __mul__


def rules(parents: Sequence[str], back: Callable[[Any], Sequence[Any]]) -> list[tuple[str, Rule]]:
    """Return the parents of a step with a local derivative for each.

    Args:
        parents: their names.
        back: takes the gradient of the step's result, and returns the gradients of all parents, in the same order. It
            runs once for all of them.
    """
    found: list[Any] = []

    def part(i: int) -> Rule:
        def one(above: Any) -> Any:
            if not found:
                found.extend(back(above))
            return found[i]

        return Rule(one)

    return [(name, part(i)) for i, name in enumerate(parents)]
