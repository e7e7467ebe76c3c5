"""Lesson 4: what starts at zero, batch norm folded into a linear layer, initial weights, batch norm itself."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backlight.core import FloatArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import as_array

# -- 4.1: what starts at zero -----------------------------------------------------------------------------------------

_BACK_TO_FRONT = ("b2", "W2", "b1", "W1", "C")


def _zeros(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    begun = ("C W1 b1 W2 b2", "", "W2 b2", "W1", "b1", "C W1", "W1 b1", "W1 W2", "C W2", "C b1 W2", "C W1 W2")
    return [{"zero": zero} for zero in begun]


def _products(alive: Mapping[str, bool]) -> dict[str, bool]:
    """Return which gradients are not 0, given which parameters are not 0."""
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
              says="A parameter's own value is not a factor of its own gradient: b2 changes even if it starts at 0. "
                   "Look at which factors its gradient is a product of."),
        wrong("the backward pass through W2 is ignored", products=_inputs_only,
              says="The gradients of the earlier parameters pass through W2 and are multiplied by it. What if W2 is "
                   "0?"),
        wrong("the backward pass through W2 is ignored for b1", lambda zero: {**first_moves(zero), "b1": 1},
              says="b1's gradient passes through W2, too, and is multiplied by it. What if W2 is 0?"),
        wrong("the inputs of the weights are ignored", products=_way_back_only,
              says="The gradient of a matrix is its input times the gradient from above. The input of W2 is h, and "
                   "that of W1 are rows of C. What if these are 0?"),
        wrong("b1 is left out of h", products=_no_bias,
              says="h is tanh(emb @ W1 + b1). If the product is 0, there is still b1."),
        wrong("only the first step", steps=1,
              says="What changes in step 1 is no longer 0 in step 2, and other gradients may become nonzero. Repeat "
                   "until nothing changes."),
    ),
    hints=(
        "Go back from the logits. b2 gets their gradient unchanged, W2 gets it times h, h gets it times W2, and so on.",
        "Five conditions for a nonzero gradient: b2: always. W2: h is not 0. b1: W2. W1: W2 and C. C: W2 and W1.",
        "h is not 0 if b1 is not, or if both C and W1 are not.",
        "Keep a dictionary of what is not 0. In each step, find what changes given the values before it; then update.",
    ),
    look="the cell before the exercise, which prints the size of each gradient for three initialisations.",
    use=lambda answer, case: _steps(call(answer, case)),
)  # fmt: skip


def _steps(first: Any) -> Any:
    names = ("C", "W1", "b1", "W2", "b2")
    if isinstance(first, list | tuple) and len(first) == len(names):  # in the order of the task
        first = dict(zip(names, first, strict=True))
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
              says="Batch norm divides by the square root of running_var + eps, so the folded layer must do the same."),
        wrong("the variance is not square-rooted", scale=lambda gain, var, eps: gain / (var + eps),
              says="Batch norm divides by a standard deviation, which is the square root of the variance."),
        wrong("eps is outside the square root", scale=lambda gain, var, eps: gain / (np.sqrt(var) + eps),
              says="eps is added to the variance before the square root is taken."),
        wrong("rows for columns", rows=True,
              says="The weights of a unit are a column of W, since x @ W gives one number per column. So scale the "
                   "columns."),
        wrong("the gain is left out", gain=1.0, says="After the division, batch norm multiplies by its gain."),
        wrong("the old b is not scaled", shift=lambda b, mean, s, bias: b - mean * s + bias,
              says="b is added before batch norm, which scales it together with x @ W."),
        wrong("the running mean is not scaled", shift=lambda b, mean, s, bias: b * s - mean + bias,
              says="The mean is subtracted before the division and the gain, so both apply to it, too."),
        wrong("neither b nor the mean is scaled", shift=lambda b, mean, s, bias: b - mean + bias,
              says="Whatever is added or subtracted before the division and the gain is scaled by both."),
        wrong("the running mean is added", shift=lambda b, mean, s, bias: (b + mean) * s + bias,
              says="Batch norm subtracts the mean."),
        wrong("the running mean is left out", shift=lambda b, mean, s, bias: b * s + bias,
              says="Batch norm subtracts the running mean before anything else. That is a shift, and belongs in b."),
        wrong("the old b is left out", shift=lambda b, mean, s, bias: bias - mean * s,
              says="The linear layer has its own b. In training, subtracting the batch mean cancels it; the running "
                   "mean is a constant and does not."),
        wrong("the norm's bias is left out", shift=lambda b, mean, s, bias: (b - mean) * s,
              says="At the end, batch norm adds its own bias."),
        wrong("the norm's bias is scaled too", shift=lambda b, mean, s, bias: (b - mean + bias) * s,
              says="The norm's bias is added last, after the division and the gain."),
    ),
    hints=(
        "Write down the output of one unit: gain * (x @ w + b - mean) / sqrt(var + eps) + bias. What multiplies x?",
        "All the factors combine into one number per unit: s = gain / np.sqrt(running_var + eps).",
        "The new b is the output when x is 0.",
        "W * s scales the columns: s has one number per column and broadcasts along the rows.",
    ),
    look="the cell after the exercise: with batch norm folded in, the dev loss must equal that with running "
         "statistics.",
)  # fmt: skip


# -- 4.3: the initial weights -----------------------------------------------------------------------------------------

_FUNCTIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}
_GAINS = {"linear": 1.0, "tanh": 5 / 3, "relu": 2**0.5}
_DEEP = 6


def _layers(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [{"fan_in": 100, "fan_out": 400, "function": function, "rng": rng} for function in _GAINS]


def first_weights(
    fan_in: int, fan_out: int, function: str, rng: np.random.Generator, *,
    std: Callable[..., float] = lambda fan_in, fan_out, gain: gain / np.sqrt(fan_in),
    draw: Callable[..., FloatArray] = lambda rng, std, size: rng.normal(0, std, size),
    gains: Mapping[str, float] = _GAINS, swapped: bool = False,
) -> FloatArray:  # fmt: skip
    return draw(rng, std(fan_in, fan_out, gains[function]), (fan_out, fan_in) if swapped else (fan_in, fan_out))


def _measured(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return the size of signals in layers that start with an answer's weights."""
    function, fan_in, fan_out = case["function"], case["fan_in"], case["fan_out"]
    bent, rng = _FUNCTIONS[function], case["rng"]

    def drawn(fan_in: int) -> Any:
        found = call(answer, {"fan_in": fan_in, "fan_out": fan_out, "function": function, "rng": rng})
        return found if found is None or found is ... else as_array(found)

    W = drawn(fan_in)
    if W is None or W is ...:
        return None
    shape = {"the shape of W": W.shape}
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
    "the mean of W (relative to its std)",
    "the std of x @ W (for x of std 1)",
    f"the factor by which activations grow from layer to layer (in {_DEEP} layers)",
)


def _size(signals: FloatArray) -> float:
    return float(np.sqrt((signals**2).mean()))


FIRST_WEIGHTS = Exercise(
    cases=_layers,
    solution=first_weights,
    use=_measured,
    properties=True,
    rtol=0.05,
    atol=0.02,
    mistakes=(
        wrong("transposed", swapped=True, says="x is (N, fan_in), and x @ W is (N, fan_out): W has fan_in rows."),
        wrong("not scaled at all", std=lambda fan_in, fan_out, gain: 1.0,
              says="A sum of fan_in products of variance 1 has variance fan_in. The weights must compensate for that."),
        wrong("the gain alone", std=lambda fan_in, fan_out, gain: gain,
              says="The gain is there, but nothing compensates for the sum over fan_in products."),
        wrong("divided by fan_in, not by its square root", std=lambda fan_in, fan_out, gain: gain / fan_in,
              says="The variance grows by a factor of fan_in. A standard deviation is the square root of a variance."),
        wrong("a variance for a standard deviation", std=lambda fan_in, fan_out, gain: gain**2 / fan_in,
              says="gain² / fan_in is the variance. rng.normal takes the standard deviation."),
        wrong("fan_out for fan_in", std=lambda fan_in, fan_out, gain: gain / np.sqrt(fan_out),
              says="How many products does one number of x @ W sum? As many as x has columns."),
        wrong("fan_in and fan_out together", std=lambda fan_in, fan_out, gain: gain * np.sqrt(2 / (fan_in + fan_out)),
              says="That is Glorot and Bengio's compromise between the forward and the backward pass. Here only the "
                   "forward pass counts."),
        wrong("the gain is left out", gains=dict.fromkeys(_GAINS, 1.0),
              says="tanh shrinks its input, and ReLU sets half of it to 0, so each layer passes on less than it "
                   "received. The gain compensates for that."),
        wrong("2 for its square root", gains={**_GAINS, "relu": 2.0},
              says="ReLU halves the mean square. Doubling the variance multiplies the standard deviation by the "
                   "square root of 2."),
        wrong("bounds for a standard deviation", draw=lambda rng, std, size: rng.uniform(-std, std, size),
              says="Uniform numbers between -a and a have a standard deviation of a / sqrt(3), not a."),
        wrong("no negative weights", draw=lambda rng, std, size: std * rng.random(size),
              says="rng.random draws numbers between 0 and 1. The weights must have mean 0."),
    ),
    hints=(
        "One number of x @ W is a sum of fan_in products. The variances of independent terms add.",
        'gains = {"linear": 1, "tanh": 5 / 3, "relu": 2**0.5}',
        "std = gain / fan_in**0.5, and rng.normal(0, std, (fan_in, fan_out)) draws them.",
    ),
    look="the figure of the standard deviation by depth: with only one gain the line stays level.",
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
    training: bool, momentum: float, eps: float, *, axis: int | None = 0, ddof: int = 0, kept_ddof: int = 1,
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
              says="Standardise the batch by the variance divided by N, so that its standard deviation is exactly 1. "
                   "N - 1 is for the running variance, which estimates that of all examples."),
        wrong("running statistics in training", by_batch=False,
              says="In training, standardise each batch by its own mean and variance."),
        wrong("batch statistics after training", by_batch=True,
              says="After training, the result of an example must not depend on the batch: use the running "
                   "statistics."),
        wrong("over everything, not for each unit", axis=None,
              says="All units share one mean and one variance. Each unit is a column, and its mean is over axis 0."),
        wrong("over each example, not over the batch", axis=1,
              says="A unit is a column, and its mean is over the examples, axis 0. (A mean over each row is layer "
                   "norm.)"),
        wrong("eps is outside the square root", below=lambda var, eps: np.sqrt(var) + eps,
              says="eps is added to the variance before the square root is taken."),
        wrong("forgot eps", eps=0.0, says="eps is added to the variance, both in training and in evaluation."),
        wrong("divided by the variance", below=lambda var, eps: var + eps,
              says="Divide by the standard deviation, which is the square root of the variance."),
        wrong("momentum reversed", swapped=True,
              says="momentum is the weight of the new batch: a small momentum changes little."),
        wrong("the running statistics are never updated", moves=False,
              says="In training they move a little towards those of each batch: return the updated ones."),
        wrong("the running statistics are updated in evaluation", moves=True,
              says="Evaluation must not change the network: if not training, return them unchanged."),
        wrong("biased for unbiased variance", kept_ddof=0,
              says="The running variance uses the variance divided by N - 1: a few examples are closer to their own "
                   "mean than to the mean of all."),
    ),
    hints=(
        "x.mean(0) and x.var(0) have shape (C,), one number per column; x.var(0) divides by N.",
        "The unbiased variance is x.var(0, ddof=1), or x.var(0) * N / (N - 1).",
        "y = gain * (x - mean) / np.sqrt(var + eps) + bias in both modes; only mean and var differ.",
        "running_mean = (1 - momentum) * running_mean + momentum * x.mean(0), and likewise for the variance.",
    ),
    look="the figure of each unit's mean and standard deviation, before and after: what should yours be for a batch?",
)  # fmt: skip

EXERCISES = (FIRST_MOVES, FOLDING, FIRST_WEIGHTS, BATCH_NORM)
