"""Lesson 10: RMSNorm, the gradient of a query, and one step of Adam, on lists of numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.lessons.exercises.exercise import Exercise, wrong

# -- 10.1: RMSNorm ----------------------------------------------------------------------------------------------------


def _vectors(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = [rng.normal(size=n).tolist() for n in (6, 3)]
    return [{"x": x} for x in (*drawn, [0.002, -0.001], [3.0])]


def rmsnorm(
    x: list[float], *, eps: float = 1e-5, outside: bool = False, over: Callable[[int], float] = float,
    power: float = -0.5, centred: bool = False,
) -> list[float]:  # fmt: skip
    if centred:
        level = sum(x) / len(x)
        x = [number - level for number in x]
    mean = sum(number * number for number in x) / over(len(x))
    scale = mean**-0.5 + eps if outside else (mean + eps) ** power
    return [float(number * scale) for number in x]


RMSNORM = Exercise(
    cases=_vectors,
    solution=rmsnorm,
    mistakes=(
        wrong("sum for mean", over=lambda n: 1.0,
              says="This divides by the length of the vector. Divide the sum of the squares by their number first: it "
                   "is the *mean* of the squares."),
        wrong("no root", power=-1.0,
              says="The square root is missing: divide by the root of the mean square, as with ** -0.5."),
        wrong("multiplied, not divided", power=0.5,
              says="The vector is multiplied by the root. Divide by it: ** -0.5 instead of ** 0.5."),
        wrong("the mean is subtracted", centred=True,
              says="That is layer norm. RMSNorm subtracts no mean."),
        wrong("1e-5 is missing", eps=0.0,
              says="Without the 1e-5 a vector of small numbers is scaled up to size 1, and one of zeros is divided by "
                   "0."),
        wrong("1e-5 is added outside the root", outside=True,
              says="The 1e-5 belongs below the root, to the mean of the squares."),
    ),
    hints=(
        "The mean of the squares: sum(number * number for number in x) / len(x).",
        "The scale: (mean + 1e-5) ** -0.5. Multiply each element by it.",
    ),
    look="lesson 7's layer norm, and which of its steps are left out here.",
)  # fmt: skip


# -- 10.2: the gradient of a query ------------------------------------------------------------------------------------


def _scores(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "query": rng.normal(size=D).tolist(),
            "keys": rng.normal(size=(T, D)).tolist(),
            "dscores": rng.normal(size=T).tolist(),
        }
        for T, D in ((3, 4), (5, 2), (1, 3))
    ]


def query_gradient(
    query: list[float], keys: list[list[float]], dscores: list[float], *,
    scale: Callable[[int], float] = lambda D: D**-0.5, last: bool = False, unweighted: bool = False,
    times_query: bool = False,
) -> list[float]:  # fmt: skip
    pairs = list(zip(dscores, keys, strict=True))[-1 if last else 0 :]
    D = len(query)
    return [
        sum((1.0 if unweighted else d) * key[j] for d, key in pairs) * scale(D) * (query[j] if times_query else 1.0)
        for j in range(D)
    ]


QUERY = Exercise(
    cases=_scores,
    solution=query_gradient,
    mistakes=(
        wrong("no scale", scale=lambda D: 1.0,
              says="The scores are divided by √D, so the gradients that pass through them are, too."),
        wrong("divided by D, not by its square root", scale=lambda D: 1 / D,
              says="The scores are divided by √D, not by D."),
        wrong("multiplied by √D", scale=lambda D: D**0.5,
              says="A factor of the formula is a factor of the derivative: divide by √D, do not multiply."),
        wrong("only the last key", last=True,
              says="The query is used for every score, and the gradients of all paths add up: sum over the keys."),
        wrong("the gradients of the scores are left out", unweighted=True,
              says="The chain rule has two factors: the local derivative, a key, times the gradient of the score."),
        wrong("multiplied by the query", times_query=True,
              says="The derivative of query[j] * key[j] with respect to query[j] is key[j]: the query itself drops "
                   "out."),
    ),
    hints=(
        "How does score t change if query[j] grows by a little? By keys[t][j] / D**0.5.",
        "query[j] is used in all T scores: sum dscores[t] * keys[t][j] over t.",
    ),
    look="the table of the walk: the gradient of the query is a sum, with one term for each key that was read.",
)  # fmt: skip


# -- 10.3: one step of Adam -------------------------------------------------------------------------------------------


def _steps(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [
        {"p": 0.5, "grad": 0.2, "m": 0.0, "v": 0.0, "t": 1, "lr": 0.01},
        {"p": -0.3, "grad": -1.5, "m": 0.4, "v": 0.9, "t": 4, "lr": 0.1},
        {"p": 1.0, "grad": 0.03, "m": -0.02, "v": 0.001, "t": 40, "lr": 0.05},
    ]


def adam_step(
    p: float, grad: float, m: float, v: float, t: int, lr: float, *, corrected: bool = True, first: int = 0,
    sign: float = 1.0, squared: bool = True, rooted: bool = True, swapped: bool = False, kept: bool = False,
) -> tuple[float, float, float]:  # fmt: skip
    beta_1, beta_2 = (0.99, 0.85) if swapped else (0.85, 0.99)
    m = beta_1 * m + (1 - beta_1) * grad
    v = beta_2 * v + (1 - beta_2) * (grad**2 if squared else abs(grad))
    t += first
    m_hat, v_hat = (m / (1 - beta_1**t), v / (1 - beta_2**t)) if corrected else (m, v)
    p -= sign * lr * m_hat / ((v_hat**0.5 if rooted else v_hat) + 1e-8)
    return (p, m_hat, v_hat) if kept else (p, m, v)


ADAM = Exercise(
    cases=_steps,
    solution=adam_step,
    parts=("p", "m", "v"),
    mistakes=(
        wrong("no correction", corrected=False,
              says="m and v begin at 0 and are too small at first. Divide them by 1 - β₁ᵗ and 1 - β₂ᵗ."),
        wrong("the step is counted from 0", first=1,
              says="t counts from 1 already: the exponent is t, not t + 1."),
        wrong("uphill", sign=-1.0,
              says="p moves along the gradient, and the loss grows: subtract."),
        wrong("the gradient is not squared", squared=False,
              says="v is the mean of the *squares* of the gradients."),
        wrong("no root", rooted=False,
              says="The root of v̂ is missing: m̂ is divided by √v̂, which has the gradient's units."),
        wrong("β₁ and β₂ exchanged", swapped=True,
              says="β₁ = 0.85 belongs to m, and β₂ = 0.99 to v."),
        wrong("the corrected means are returned", kept=True,
              says="Return m and v without the correction; otherwise the next step corrects them once more."),
    ),
    hints=(
        "m = 0.85 * m + (1 - 0.85) * grad, and v likewise with grad**2.",
        "m_hat = m / (1 - 0.85**t), v_hat = v / (1 - 0.99**t), and only p uses them.",
    ),
    look="the loop of the training: m and v are kept from step to step, m̂ and v̂ are not.",
)  # fmt: skip

EXERCISES = (RMSNORM, QUERY, ADAM)
