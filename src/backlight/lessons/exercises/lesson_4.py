"""Lesson 4: what starts at zero, a batch norm folded away, first weights of the right size, batch norm itself."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backlight.core import FloatArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong

# -- 4.1: what starts at zero -----------------------------------------------------------------------------------------

_BACK_TO_FRONT = ("b2", "W2", "b1", "W1", "C")


def _zeros(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    begun = ("C W1 b1 W2 b2", "", "W2 b2", "W1", "b1", "C W1", "W1 b1", "W1 W2", "C W2", "C b1 W2", "C W1 W2")
    return [{"zero": zero} for zero in begun]


def _products(alive: Mapping[str, bool]) -> dict[str, bool]:
    """Return which gradients are not 0, by which parameters are not 0."""
    h = alive["b1"] or (alive["C"] and alive["W1"])
    back = alive["W2"]
    return {"b2": True, "W2": h, "b1": back, "W1": back and alive["C"], "C": back and alive["W1"]}


def first_moves(
    zero: str, *, products: Callable[[Mapping[str, bool]], dict[str, bool]] = _products, steps: int = 5
) -> dict[str, int]:
    alive = {name: name not in zero for name in _BACK_TO_FRONT}
    first = dict.fromkeys(_BACK_TO_FRONT, 0)
    for step in range(1, steps + 1):
        for name, moved in products(alive).items():
            if moved and not first[name]:
                first[name] = step
        alive = {name: alive[name] or first[name] > 0 for name in _BACK_TO_FRONT}
    return first


def _inputs_only(alive: Mapping[str, bool]) -> dict[str, bool]:
    return {**_products({**alive, "W2": True}), "W2": _products(alive)["W2"]}


def _way_back_only(alive: Mapping[str, bool]) -> dict[str, bool]:
    back = alive["W2"]
    return {"b2": True, "W2": True, "b1": back, "W1": back, "C": back and alive["W1"]}


def _no_bias(alive: Mapping[str, bool]) -> dict[str, bool]:
    return {**_products(alive), "W2": alive["C"] and alive["W1"]}


FIRST_MOVES = Exercise(
    cases=_zeros,
    solution=first_moves,
    mistakes=(
        wrong("what is zero stays zero", lambda zero: {name: int(name not in zero) for name in _BACK_TO_FRONT},
              says="A parameter's own value is no factor of its own gradient: b2 at 0 is pulled like any other b2. "
                   "Look at what its gradient is a product of."),
        wrong("the way back through W2 is forgotten", products=_inputs_only,
              says="What is behind W2 hears of the loss only through W2: its gradient is multiplied by W2. What if "
                   "that is 0?"),
        wrong("the inputs of the weights are forgotten", products=_way_back_only,
              says="The gradient of a matrix is its input times what comes from above. W2 reads h, W1 reads the rows "
                   "of C. What if these are 0?"),
        wrong("b1 is left out of h", products=_no_bias,
              says="h is tanh(emb @ W1 + b1). With the product at 0 there is still b1."),
        wrong("only the first step", steps=1,
              says="What moves in step 1 is not 0 any more in step 2, and may let others move. Ask again until nothing "
                   "changes."),
    ),
    hints=(
        "Walk back from the logits. b2 gets the pull as it is. W2 gets it times h. h gets it times W2. And so on.",
        "Five questions: b2: always. W2: is h not 0? b1: is W2 not 0? W1: is W2 not 0, and C? C: is W2 not 0, and W1?",
        "h is not 0 if b1 is not, or if both C and W1 are not.",
        "Keep a dictionary of what is not 0. Each step: find who moves by what was not 0 before it; then mark those.",
    ),
    look="the cell before the exercise, which prints how large each gradient is for three beginnings.",
    use=lambda answer, case: _told(call(answer, case)),
)  # fmt: skip


def _told(first: Any) -> Any:
    if not isinstance(first, Mapping):
        return first
    return {f"the first step that changes {name}": first[name] for name in _BACK_TO_FRONT if name in first}


# -- 4.2: folding -----------------------------------------------------------------------------------------------------


def _trained(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "W": rng.normal(size=(n, n)), "b": rng.normal(size=n), "gain": rng.uniform(0.5, 2, n),
            "bias": rng.normal(size=n), "running_mean": rng.normal(size=n), "running_var": rng.uniform(0.2, 3, n),
            "eps": eps,
        }
        for n, eps in ((4, 0.1), (3, 0.01))
    ]  # fmt: skip


def fold(
    W: FloatArray, b: FloatArray, gain: FloatArray, bias: FloatArray, running_mean: FloatArray, running_var: FloatArray,
    eps: float, *, rows: bool = False,
    scale: Callable[..., FloatArray] = lambda gain, var, eps: gain / np.sqrt(var + eps),
    shift: Callable[..., FloatArray] = lambda b, mean, s, bias: (b - mean) * s + bias,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    s = scale(gain, running_var, eps)
    return W * (s[:, None] if rows else s), shift(b, running_mean, s, bias)


FOLDING = Exercise(
    cases=_trained,
    solution=fold,
    parts=("the folded W", "the folded b"),
    mistakes=(
        wrong("forgot eps", eps=0.0,
              says="The batch norm divided by the root of running_var + eps. What replaces it must do so, too."),
        wrong("the variance is not square-rooted", scale=lambda gain, var, eps: gain / (var + eps),
              says="Batch norm divides by a standard deviation, which is the root of the variance."),
        wrong("eps is outside the root", scale=lambda gain, var, eps: gain / (np.sqrt(var) + eps),
              says="eps is added to the variance, before the root is taken."),
        wrong("rows for columns", rows=True,
              says="A unit's weights are a column of W: x @ W gives one number for each column. So it is columns that "
                   "are scaled."),
        wrong("the gain is left out", gain=1.0, says="After the division the batch norm multiplies by its gain."),
        wrong("the old b is not scaled", shift=lambda b, mean, s, bias: b - mean * s + bias,
              says="b was added before the batch norm, so the norm scaled it together with x @ W."),
        wrong("the running mean is not scaled", shift=lambda b, mean, s, bias: b * s - mean + bias,
              says="The mean is taken off before the division and the gain, so both apply to it, too."),
        wrong("neither b nor the mean is scaled", shift=lambda b, mean, s, bias: b - mean + bias,
              says="What is added or taken off before the division and the gain gets both of them."),
        wrong("the running mean is added", shift=lambda b, mean, s, bias: (b + mean) * s + bias,
              says="Batch norm takes the mean off."),
        wrong("the running mean is left out", shift=lambda b, mean, s, bias: b * s + bias,
              says="Batch norm takes the running mean off before anything else. That is a shift, and belongs into b."),
        wrong("the old b is left out", shift=lambda b, mean, s, bias: bias - mean * s,
              says="The linear layer has a b of its own. In training the batch's mean took it away; the running mean "
                   "is a fixed number."),
        wrong("the norm's bias is left out", shift=lambda b, mean, s, bias: (b - mean) * s,
              says="At the end the batch norm adds its own bias."),
        wrong("the norm's bias is scaled too", shift=lambda b, mean, s, bias: (b - mean + bias) * s,
              says="The norm's bias is added last, after the division and the gain."),
    ),
    hints=(
        "Write down what one unit gives: gain * (x @ w + b - mean) / sqrt(var + eps) + bias. What multiplies x?",
        "Everything that multiplies is one number a unit: s = gain / np.sqrt(running_var + eps).",
        "What is left when x is 0 is the new b.",
        "W * s scales the columns: s has one number for each column, and is laid along the rows.",
    ),
    look="the cell after the exercise: folded, the network must have the dev loss that it had with running statistics.",
)  # fmt: skip


# -- 4.3: the first weights -------------------------------------------------------------------------------------------

_FUNCTIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}
_GAINS = {"linear": 1.0, "tanh": 5 / 3, "relu": 2**0.5}
_DEEP = 6


def _layers(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [{"fan_in": 100, "fan_out": 400, "function": function} for function in _GAINS]


def first_weights(
    fan_in: int, fan_out: int, function: str, rng: np.random.Generator, *,
    std: Callable[..., float] = lambda fan_in, fan_out, gain: gain / np.sqrt(fan_in),
    draw: Callable[..., FloatArray] = lambda rng, std, size: rng.normal(0, std, size),
    gains: Mapping[str, float] = _GAINS, swapped: bool = False,
) -> FloatArray:  # fmt: skip
    return draw(rng, std(fan_in, fan_out, gains[function]), (fan_out, fan_in) if swapped else (fan_in, fan_out))


def _measured(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return what signals do in layers that start with an answer's weights."""
    function, fan_in, fan_out = case["function"], case["fan_in"], case["fan_out"]
    bent, rng = _FUNCTIONS[function], np.random.default_rng(1)

    def drawn(fan_in: int) -> Any:
        found = call(answer, {"fan_in": fan_in, "fan_out": fan_out, "function": function, "rng": rng})
        return found if found is None or found is ... else np.asarray(getattr(found, "array", found), np.float64)

    W = drawn(fan_in)
    if W is None or W is ...:
        return None
    shape = {"the rows of W": len(W), "the columns of W": W.shape[-1]}
    if W.shape != (fan_in, fan_out):
        return {**shape, **dict.fromkeys(_SIGNALS, np.nan)}
    sums = np.random.default_rng(2).normal(size=(500, fan_in)) @ W
    here = first = bent(sums[:150])
    for _ in range(_DEEP):
        here = bent(here @ drawn(fan_out))
    factor = (_size(here) / max(_size(first), 1e-300)) ** (1 / _DEEP)
    measured = (float(abs(W.mean()) / max(W.std(), 1e-300)), float(sums.std()), factor)
    return {**shape, **dict(zip(_SIGNALS, measured, strict=True))}


_SIGNALS = (
    "the mean of W (beside its std)",
    "the std of x @ W (for x of std 1)",
    f"the factor by which activations grow from layer to layer (in {_DEEP} layers)",
)


def _size(signals: FloatArray) -> float:
    return float(np.sqrt((signals**2).mean()))


FIRST_WEIGHTS = Exercise(
    cases=_layers,
    solution=first_weights,
    use=_measured,
    rtol=0.05,
    atol=0.02,
    mistakes=(
        wrong("transposed", swapped=True, says="x is (N, fan_in), and x @ W is (N, fan_out): W has fan_in rows."),
        wrong("not scaled at all", std=lambda fan_in, fan_out, gain: 1.0,
              says="A sum of fan_in products of variance 1 has variance fan_in. The weights must undo that."),
        wrong("the gain alone", std=lambda fan_in, fan_out, gain: gain,
              says="The gain is there, but the sum over fan_in products is not undone."),
        wrong("divided by fan_in, not by its root", std=lambda fan_in, fan_out, gain: gain / fan_in,
              says="fan_in is by how much the variance grows. A standard deviation is the root of a variance."),
        wrong("a variance for a standard deviation", std=lambda fan_in, fan_out, gain: gain**2 / fan_in,
              says="gain² / fan_in is the variance. rng.normal takes the standard deviation."),
        wrong("fan_out for fan_in", std=lambda fan_in, fan_out, gain: gain / np.sqrt(fan_out),
              says="How many products are summed for one number of x @ W? As many as x has columns."),
        wrong("fan_in and fan_out together", std=lambda fan_in, fan_out, gain: gain * np.sqrt(2 / (fan_in + fan_out)),
              says="That is Glorot and Bengio's compromise between the way forward and the way back. Here only the way "
                   "forward counts."),
        wrong("the gain is left out", gains=dict.fromkeys(_GAINS, 1.0),
              says="tanh squeezes, and ReLU cuts half away: each layer passes on less than it got. The gain makes up "
                   "for it."),
        wrong("2 for its root", gains={**_GAINS, "relu": 2.0},
              says="ReLU halves the mean square. Twice the variance is a standard deviation larger by the root of 2."),
        wrong("bounds for a standard deviation", draw=lambda rng, std, size: rng.uniform(-std, std, size),
              says="Uniform numbers from -a to a have a standard deviation of a / sqrt(3), not of a."),
        wrong("no negative weights", draw=lambda rng, std, size: std * rng.random(size),
              says="rng.random gives numbers from 0 to 1. The weights should have mean 0."),
    ),
    hints=(
        "One number of x @ W is a sum of fan_in products. Variances of independent things add.",
        'gains = {"linear": 1, "tanh": 5 / 3, "relu": 2**0.5}',
        "std = gain / fan_in**0.5, and rng.normal(0, std, (fan_in, fan_out)) draws them.",
    ),
    look="the picture of std by depth: only one gain stays level.",
)  # fmt: skip


# -- 4.4: batch norm --------------------------------------------------------------------------------------------------


def _batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    def case(N: int, C: int, *, training: bool, momentum: float, eps: float) -> dict[str, Any]:
        return {
            "x": rng.normal(1.0, 2.0, (N, C)), "gain": rng.uniform(0.5, 2, C), "bias": rng.normal(size=C),
            "running_mean": rng.normal(size=C), "running_var": rng.uniform(0.5, 3, C), "training": training,
            "momentum": momentum, "eps": eps,
        }  # fmt: skip

    return [
        case(4, 3, training=True, momentum=0.1, eps=0.1),
        case(5, 3, training=False, momentum=0.1, eps=0.1),
        case(3, 6, training=True, momentum=0.3, eps=0.01),
    ]


def batch_norm(
    x: FloatArray, gain: FloatArray, bias: FloatArray, running_mean: FloatArray, running_var: FloatArray,
    training: bool, momentum: float, eps: float, *, axis: int = 0, ddof: int = 0, kept_ddof: int = 1,
    by_batch: bool | None = None, moves: bool | None = None, swapped: bool = False,
    below: Callable[..., FloatArray] = lambda var, eps: np.sqrt(var + eps),
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    mean, var = running_mean, running_var
    if training if by_batch is None else by_batch:
        mean, var = x.mean(axis, keepdims=True), x.var(axis, ddof=ddof, keepdims=True)
    y = gain * (x - mean) / below(var, eps) + bias
    if training if moves is None else moves:
        m = 1 - momentum if swapped else momentum
        running_mean = (1 - m) * running_mean + m * x.mean(0)
        running_var = (1 - m) * running_var + m * x.var(0, ddof=kept_ddof)
    return y, running_mean, running_var


BATCH_NORM = Exercise(
    cases=_batches,
    solution=batch_norm,
    parts=("y", "the running mean", "the running variance"),
    mistakes=(
        wrong("unbiased variance in y", ddof=1,
              says="The batch is standardised by the variance divided by N, which makes its own spread exactly 1. N - "
                   "1 is for the running variance, which speaks of examples that are not in the batch."),
        wrong("running statistics in training", by_batch=False,
              says="In training each batch is standardised by its own mean and variance."),
        wrong("batch statistics after training", by_batch=True,
              says="After training an example must stand for itself: take the running statistics."),
        wrong("over each example, not over the batch", axis=1,
              says="A unit is a column; its mean is over the examples, axis 0. (Over each row: that is layer norm.)"),
        wrong("eps is outside the root", below=lambda var, eps: np.sqrt(var) + eps,
              says="eps is added to the variance, before the root is taken."),
        wrong("forgot eps", eps=0.0, says="eps is added to the variance, here and in evaluation."),
        wrong("divided by the variance", below=lambda var, eps: var + eps,
              says="The spread of a column is the root of its variance."),
        wrong("momentum the wrong way round", swapped=True,
              says="momentum says how much comes in of the new batch. A small one changes little."),
        wrong("the running statistics never move", moves=False,
              says="In training they move a little towards each batch: return the new ones."),
        wrong("the running statistics move after training", moves=True,
              says="What is only evaluated must not change the network: without training, return them as they came."),
        wrong("biased for unbiased variance", kept_ddof=0,
              says="The running variance takes the one divided by N - 1: a few examples lie closer to their own mean "
                   "than to that of all."),
    ),
    hints=(
        "x.mean(0) and x.var(0) are (C,), one number for each column; x.var(0) divides by N.",
        "The unbiased variance is x.var(0, ddof=1), or x.var(0) * N / (N - 1).",
        "y = gain * (x - mean) / np.sqrt(var + eps) + bias; only where mean and var come from differs.",
        "running_mean = (1 - momentum) * running_mean + momentum * x.mean(0), and likewise for the variance.",
    ),
    look="the picture of each unit's mean and spread, before and after: what should yours be for a batch?",
)  # fmt: skip

EXERCISES = (FIRST_MOVES, FOLDING, FIRST_WEIGHTS, BATCH_NORM)
