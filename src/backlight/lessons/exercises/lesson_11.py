"""Lesson 11: back through attention, the gradients of a GPT, and a GPT that is trained with them."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import as_array, encoded_names, last_only, mean_nats, softmax
from backlight.lessons.exercises.lesson_7 import all_heads
from backlight.lessons.own_gpt import first_weights, forward
from backlight.lessons.recorded import load_pretrained
from backlight.models import by_hand
from backlight.text import Sequences

# -- 11.1: back through attention -------------------------------------------------------------------------------------


def _attentions(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "dy": rng.normal(size=(B, T, C)),
            "x": rng.normal(size=(B, T, C)),
            **{name: rng.normal(size=(C, C)) / np.sqrt(C) for name in ("Wq", "Wk", "Wv")},
            "heads": heads,
        }
        for B, T, C, heads in ((2, 5, 12, 3), (3, 4, 6, 1))
    ]


def _softmax_back(weights: FloatArray, d: FloatArray) -> FloatArray:
    slopes: FloatArray = weights * (d - (weights * d).sum(-1, keepdims=True))
    return slopes


def all_heads_backward(
    dy: FloatArray, x: FloatArray, Wq: FloatArray, Wk: FloatArray, Wv: FloatArray, heads: int, *,
    slope: Callable[[FloatArray, FloatArray], FloatArray] = _softmax_back, scaled: bool = True, hidden: bool = True,
    paths: str = "qkv", untransposed: bool = False, exchanged: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:  # fmt: skip
    B, T, C = x.shape
    D = C // heads

    def apart(y: FloatArray) -> FloatArray:
        return y.reshape(B, T, heads, D).swapaxes(1, 2)

    q, k, v = (apart(x @ W) for W in (Wq, Wk, Wv))
    scores = q @ k.swapaxes(-2, -1) / np.sqrt(D)
    weights = softmax(np.where(np.tril(np.ones((T, T))) > 0, scores, -np.inf) if hidden else scores)
    dread = apart(dy)
    dv = (weights if untransposed else weights.swapaxes(-2, -1)) @ dread
    dscores = slope(weights, dread @ v.swapaxes(-2, -1)) / (np.sqrt(D) if scaled else 1.0)
    dq, dk = dscores @ k, (dscores if exchanged else dscores.swapaxes(-2, -1)) @ q
    of = {name: d.swapaxes(1, 2).reshape(B, T, C) for name, d in (("q", dq), ("k", dk), ("v", dv))}
    dx = sum((of[name] @ W.T for name, W in (("q", Wq), ("k", Wk), ("v", Wv)) if name in paths), np.zeros_like(x))
    dWq, dWk, dWv = (np.einsum("btc,bto->co", x, of[name]) for name in "qkv")
    return dx, dWq, dWk, dWv


ATTENTION = Exercise(
    cases=_attentions,
    solution=all_heads_backward,
    parts=("dx", "dWq", "dWk", "dWv"),
    mistakes=(
        wrong("x only through the values", paths="v",
              says="x is used three times: for the queries, the keys and the values. Its gradient is the sum of three "
                   "paths."),
        wrong("x without the values", paths="qk",
              says="x is used three times: for the queries, the keys and the values. The path through the values is "
                   "missing."),
        wrong("softmax without its sum", slope=lambda weights, d: weights * d,
              says="A weight depends on all scores of its row, since they share a denominator. That gives the second "
                   "term: w (d - the sum of w d over the row)."),
        wrong("the slope of a sigmoid", slope=lambda weights, d: weights * (1 - weights) * d,
              says="w (1 - w) is only the influence of a score on its own weight. It also changes the other weights of "
                   "the row: w (d - the sum of w d over the row)."),
        wrong("the sum runs over the wrong axis",
              slope=lambda weights, d: weights * (d - (weights * d).sum(-2, keepdims=True)),
              says="In softmax's backward pass the sum runs over what softmax summed over: the last axis, the "
                   "positions that are read."),
        wrong("no division by √D", scaled=False,
              says="The scores were divided by √D, so their gradient is, too, on its way to the queries and keys."),
        wrong("the mask is missing", hidden=False,
              says="Compute the weights as in the forward pass, with the mask. Then the hidden scores have weight 0 "
                   "and gradient 0."),
        wrong("the values' gradient without a transpose", untransposed=True,
              says="y[t] is the sum of w[t, s] v[s] over s. So v[s] collects from all t that read it: transpose the "
                   "weights."),
        wrong("the keys' gradient without a transpose", exchanged=True,
              says="Row t of the scores belongs to the query t, column s to the key s. The key collects from its "
                   "column: transpose the gradient of the scores."),
    ),
    hints=(
        "Undo the last step first: split dy into heads, exactly as q, k and v were split.",
        "read = weights @ v, so dweights = dread @ v.transpose(0, 1, 3, 2), and dv has the weights transposed.",
        "dscores = weights * (dweights - (weights * dweights).sum(-1, keepdims=True)) / D**0.5.",
        "dq = dscores @ k, dk = dscores.transpose(0, 1, 3, 2) @ q; join the heads, then dx = dq @ Wq.T + ...",
    ),
    look="lesson 7's scores and weights: which of them does a query change, and which a key?",
)  # fmt: skip


# -- 11.2: the gradients of a GPT -------------------------------------------------------------------------------------

_ORDER: Final = (
    "b3", "W3", "b2", "W2", "b1", "W1", "shift2", "gain2", "Wv", "Wk", "Wq", "shift1", "gain1", "position", "token",
)  # fmt: skip
"""The names of the weights, in the order of the backward pass."""


def _batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for B, T, V, C, H, heads in ((3, 5, 7, 6, 4, 2), (2, 4, 5, 8, 3, 4)):
        weights = first_weights(V, T, C, H, rng, np.float64)
        weights = {name: array + 0.3 * rng.normal(size=array.shape) for name, array in weights.items()}
        x, y = rng.integers(0, V, (B, T)), rng.integers(0, V, (B, T))
        y[0, T - 2 :] = -1
        steps = forward(weights, x, heads, all_heads)
        cases.append({"weights": weights, "steps": steps, "x": x, "y": y, "heads": heads})
    return cases


def _rows(array: FloatArray) -> FloatArray:
    return array.reshape(-1, array.shape[-1])


def _norm_back(dy: FloatArray, normal: FloatArray, rstd: FloatArray, gain: FloatArray) -> FloatArray:
    """Return the gradient of batch norm's input (B, T, C)."""
    return by_hand.batch_norm_backward(_rows(dy), _rows(normal), rstd, gain)[0].reshape(dy.shape)


def gpt_gradients(
    weights: Mapping[str, FloatArray], steps: SimpleNamespace, x: IntArray, y: IntArray, heads: int, *,
    counted: Callable[[IntArray], int] = lambda y: int((y >= 0).sum()), ignored: bool = True,
    norm: Callable[..., FloatArray] = _norm_back, residual1: bool = True, residual2: bool = True, curved: bool = True,
    rows_of: Callable[..., FloatArray] | None = None, positions: Callable[..., FloatArray] = np.sum,
) -> dict[str, FloatArray]:  # fmt: skip
    d: dict[str, FloatArray] = {}
    dlogits = softmax(steps.logits)
    dlogits[(*np.indices(y.shape), y)] -= 1  # where y is -1, it is any column: these rows are set to 0
    dlogits = np.where(y[..., None] >= 0, dlogits, 0.0 if ignored else dlogits) / counted(y)
    d["b3"], d["W3"] = _rows(dlogits).sum(0), _rows(steps.after2).T @ _rows(dlogits)
    dafter2 = dlogits @ weights["W3"].T
    d["b2"], d["W2"] = _rows(dafter2).sum(0), _rows(steps.hidden).T @ _rows(dafter2)
    dsums = dafter2 @ weights["W2"].T * (1 - steps.hidden**2 if curved else 1.0)
    d["b1"], d["W1"] = _rows(dsums).sum(0), _rows(steps.scaled2).T @ _rows(dsums)
    dscaled2 = dsums @ weights["W1"].T
    d["shift2"], d["gain2"] = _rows(dscaled2).sum(0), _rows(dscaled2 * steps.normal2).sum(0)
    dafter1 = norm(dscaled2, steps.normal2, steps.rstd2, weights["gain2"]) + (dafter2 if residual2 else 0.0)
    dscaled1, d["Wq"], d["Wk"], d["Wv"] = all_heads_backward(
        dafter1, steps.scaled1, weights["Wq"], weights["Wk"], weights["Wv"], heads
    )
    d["shift1"], d["gain1"] = _rows(dscaled1).sum(0), _rows(dscaled1 * steps.normal1).sum(0)
    dvectors = norm(dscaled1, steps.normal1, steps.rstd1, weights["gain1"]) + (dafter1 if residual1 else 0.0)
    d["position"], d["token"] = positions(dvectors, 0), np.zeros_like(weights["token"])
    if rows_of is None:
        np.add.at(d["token"], x, dvectors)
    else:
        d["token"] = rows_of(weights["token"], x, dvectors)
    return {name: d[name] for name in _ORDER}


def _by_name(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return an answer's gradients of the weights; a walk returns those of the steps as well."""
    found = call(answer, case)
    return {name: found[name] for name in _ORDER if name in found} if isinstance(found, Mapping) else found


GRADIENTS = Exercise(
    cases=_batches,
    solution=gpt_gradients,
    use=_by_name,
    mistakes=(
        wrong("positions without a target count", counted=lambda y: y.size,
              says="The mean is over the positions whose target is not -1; divide by their number, not by B T."),
        wrong("-1 taken as a target", counted=lambda y: y.size, ignored=False,
              says="In NumPy, the index -1 is the last column. So the end of a name is trained to predict the last "
                   "character. Take only the rows with y >= 0."),
        wrong("batch norm's statistics taken as constants",
              norm=lambda dy, normal, rstd, gain: dy * gain * rstd,
              says="The mean and the variance depend on x, too. Exercise 5.3's formula has all three paths."),
        wrong("no path past the MLP", residual2=False,
              says="after1 is used twice: by the batch norm before the MLP, and by the sum after it. The gradient of "
                   "after2 also goes to after1 directly."),
        wrong("no path past attention", residual1=False,
              says="vectors is used twice: by the batch norm before attention, and by the sum after it. The gradient "
                   "of after1 also goes to vectors directly."),
        wrong("no slope of tanh", curved=False,
              says="Between the two layers of the MLP is tanh, whose slope is 1 - hidden ** 2."),
        wrong("= for += in token", rows_of=last_only,
              says="A letter that occurs more than once collects from all its places: np.add.at(dtoken, x, d)."),
        wrong("mean over the names", positions=np.mean,
              says="The vector of a position is used in each name of the batch, and the gradients add up."),
    ),
    hints=(
        "The gradient of the logits, (B, T, V), is 0 except dlogits[y >= 0], where cross_entropy_backward gives it.",
        "A linear layer: rules(('inputs', 'W', 'b'), lambda d: (d @ W.T, rows(inputs).T @ rows(d), rows(d).sum(0))).",
        "A sum of two hands its gradient on to both: [('vectors', same), ('read', same)], same = Rule(np.copy).",
        "The nodes: vectors, scaled1, read, after1, scaled2, the MLP's sums, hidden, its result, after2, logits, loss.",
    ),
    look="the forward pass: for each of its lines, which names are on the right?",
)  # fmt: skip


# -- 11.3: trained on names -------------------------------------------------------------------------------------------

BOUND: Final = 2.3
"""The loss on dev to reach, in nats per character."""

LENGTH: Final = 16
"""Positions of each name that an answer gets."""

_LOSS: Final = "the loss on dev"


def _names(rng: np.random.Generator) -> list[dict[str, Any]]:
    names = Sequences(encoded_names()["dev"], LENGTH)
    return [{"x": names.batch(rng.choice(len(names), 64, replace=False)).x}]


_SOUND: Final[dict[str, Any]] = {
    "the number of axes": 3,
    "the number of names": 64,
    "the number of positions": LENGTH,
    "the number of logits": 27,
    "whether each is finite": True,
    "whether a name has the same logits in another batch": True,
    "whether later letters leave earlier logits as they are": True,
    "whether they are logits": True,
}
_NOTHING_KNOWN: Final = dict.fromkeys((*_SOUND, _LOSS), np.nan)


def _asked(answer: Callable[..., Any], x: IntArray) -> FloatArray:
    return as_array(call(answer, {"x": x.copy()}))


def _measured(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return properties of a model's logits up to the first that is wrong; if all are right, its loss on dev."""
    x = case["x"]
    if call(answer, {"x": x[:2].copy()}) is None:
        return None
    found = dict(_NOTHING_KNOWN)
    for name, fact in _facts(answer, x):
        found[name] = fact
        if fact != _SOUND[name]:
            return found
    names = Sequences(encoded_names()["dev"], LENGTH)
    batch = names.batch(np.arange(0, len(names), 2))
    kept = batch.y >= 0
    found[_LOSS] = max(mean_nats(_asked(answer, batch.x)[kept], batch.y[kept]), BOUND)
    return found


def _facts(answer: Callable[..., Any], x: IntArray) -> Any:
    logits = _asked(answer, x)
    yield "the number of axes", logits.ndim
    if logits.ndim != 3:
        return
    yield from zip(
        ("the number of names", "the number of positions", "the number of logits"), logits.shape, strict=True
    )
    yield "whether each is finite", bool(np.isfinite(logits).all())
    same = np.allclose(_asked(answer, x[:5]), logits[:5], rtol=1e-3, atol=1e-3)
    yield "whether a name has the same logits in another batch", same
    changed = x.copy()
    changed[:, LENGTH // 2 :] = 5
    early = np.allclose(_asked(answer, changed)[:, : LENGTH // 2], logits[:, : LENGTH // 2], rtol=1e-3, atol=1e-3)
    yield "whether later letters leave earlier logits as they are", early
    yield "whether they are logits", not ((logits >= 0).all() and np.allclose(logits.sum(-1), 1, atol=1e-3))


def name_logits(x: IntArray) -> FloatArray:
    """Return the logits of the network that scripts/train_lesson_6.py trained, at each position."""
    N, T = x.shape
    padded = np.concatenate([np.zeros((N, 5), x.dtype), x], 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 6, axis=1)
    logits: FloatArray = load_pretrained().next_logits(windows.reshape(N * T, 6))
    return logits.reshape(N, T, -1)


def _by_batch(x: IntArray) -> FloatArray:
    logits = name_logits(x)
    alike: FloatArray = (logits - logits.mean((0, 1))) / logits.std((0, 1))
    return alike


def _unmasked(x: IntArray) -> FloatArray:
    logits = name_logits(x)
    mixed: FloatArray = logits + logits.mean(1, keepdims=True)
    return mixed


TRAINED = Exercise(
    cases=_names,
    solution=name_logits,
    sentences={_LOSS: f"Your loss on dev is {{ours:.4g}} nats per character; it must be below {BOUND}."},
    use=_measured,
    properties=True,
    mistakes=(
        wrong("a name's logits depend on the batch", _by_batch,
              says="The same name gets other logits in another batch. Batch norm must use the running statistics in "
                   "evaluation: pass forward a norm of your own."),
        wrong("the future is read", _unmasked,
              says="Letters that come later change the logits of earlier positions. Either attention has no mask, or a "
                   "mean runs over the positions."),
        wrong("probabilities, not logits", lambda x: softmax(name_logits(x)),
              says="Rows that are never negative and sum to 1 are probabilities. Return the logits."),
        wrong("only the last position", lambda x: name_logits(x)[:, -1],
              says="Return the logits of all positions, (N, 16, 27): each of them is a prediction."),
        wrong("not better than counts of pairs", lambda x: 0.3 * name_logits(x),
              says="Is the rate positive, subtracted, and not too small? Does the loss of the batches fall? Then train "
                   "for longer."),
    ),
    hints=(
        "A step: steps = forward(weights, batch.x, 4, all_heads), then weights[name] -= rate * gradients[name].",
        "Running statistics: _, mean, var = batch_norm(rows, ones, zeros, mean, var, True, 0.1, 1e-5) after each step.",
        "Pass norm=by_running, where by_running(x, layer) returns x normalised by the running statistics, and None.",
    ),
    look="the loss of each batch, which should fall below 2.5 within 100 steps.",
    atol=1e-6,
)  # fmt: skip

EXERCISES = (ATTENTION, GRADIENTS, TRAINED)
