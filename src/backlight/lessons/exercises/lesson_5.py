"""Lesson 5: the gradients of the MLP with batch norm by hand: step by step, as formulas, and in a training loop."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import last_only, softmax
from backlight.models import by_hand

# -- 5.1: every step --------------------------------------------------------------------------------------------------

_ORDER: Final = (
    "logprobs", "probs", "inverse", "total", "counts", "shifted", "largest", "logits", "h", "W2", "b2", "scaled",
    "gain", "shift", "normal", "rstd", "variance", "squares", "centred", "mean", "sums", "joined", "W1", "b1",
    "vectors", "C",
)  # fmt: skip
"""The names of the gradients, in the order of the backward pass."""

_IN_THE_LECTURE: Final = {
    "emb": "vectors", "embcat": "joined", "hprebn": "sums", "bnmeani": "mean", "bndiff": "centred",
    "bndiff2": "squares", "bnvar": "variance", "bnvar_inv": "rstd", "bnraw": "normal", "hpreact": "scaled",
    "logit_maxes": "largest", "norm_logits": "shifted", "counts_sum": "total", "counts_sum_inv": "inverse",
    "bngain": "gain", "bnbias": "shift",
}  # fmt: skip
_OURS: Final = (
    _IN_THE_LECTURE | {f"d{name}": name for name in _ORDER} | {f"d{a}": b for a, b in _IN_THE_LECTURE.items()}
)


def _networks(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    # all sizes differ, so that a wrong axis gives a wrong shape
    for N, V, T, E, H in ((4, 7, 3, 2, 5), (6, 5, 2, 4, 3)):
        weights = by_hand.first_weights(V, context=T, embedding=E, hidden=H, rng=rng, dtype=np.float64)
        weights.W1[:, 0] *= 0.01  # a unit that hardly varies: ε matters there
        x, y = rng.integers(0, V, (N, T)), rng.integers(0, V, N)
        x[1] = x[0][::-1]  # characters that occur twice
        cases.append({"weights": weights, "steps": by_hand.forward(weights, x, y), "x": x, "y": y})
    return cases


def all_gradients(weights: Any, steps: Any, x: IntArray, y: IntArray, **wrong: Callable[..., Any]) -> dict[str, Any]:
    """Return the gradients; those in `wrong` are replaced by a function of the steps, the right gradients, and N."""
    by_weight, by_step = by_hand.backward(weights, steps, x, y)
    found = by_weight._asdict() | by_step._asdict()
    right = {name: found[name] for name in _ORDER}
    after = SimpleNamespace(**right, x=x)
    return right | {name: slip(steps, after, len(x)) for name, slip in wrong.items()}


def _by_name(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return an answer's gradients by our names; the lecture's names and a leading d are accepted, too."""
    found = call(answer, case)
    if isinstance(found, tuple) and all(hasattr(one, "_asdict") for one in found):
        found = {name: array for one in found for name, array in one._asdict().items()}
    if not isinstance(found, Mapping):
        return found
    return {_OURS.get(name, name): array for name, array in found.items()}


def _everywhere(like: FloatArray, numbers: FloatArray) -> FloatArray:
    return np.broadcast_to(numbers, like.shape).copy()


INTERMEDIATES = Exercise(
    cases=_networks,
    solution=all_gradients,
    use=_by_name,
    in_parts=True,
    mistakes=(
        wrong("sum for mean",
              logprobs=lambda s, d, N: d.logprobs * N,
              squares=lambda s, d, N: _everywhere(s.squares, d.variance),
              sums=lambda s, d, N: d.centred + d.mean,
              says="The forward pass takes a mean, and each number contributes only a fraction to it. Divide."),
        wrong("all logprobs, not only the targets'", logprobs=lambda s, d, N: np.full_like(s.logprobs, -1 / N),
              says="The loss selects one number from each row. It does not depend on the others, so their gradient "
                   "is 0."),
        wrong("mean for sum",
              inverse=lambda s, d, N: (s.counts * d.probs).mean(1, keepdims=True),
              b2=lambda s, d, N: d.logits.mean(0),
              gain=lambda s, d, N: (s.normal * d.scaled).mean(0),
              shift=lambda s, d, N: d.scaled.mean(0),
              mean=lambda s, d, N: -d.centred.mean(0),
              says="A value that was broadcast is used along several paths, and its gradients add up: sum, do not "
                   "average."),
        wrong("summed over the wrong axis",
              inverse=lambda s, d, N: (s.counts * d.probs).sum(0, keepdims=True),
              b2=lambda s, d, N: d.logits.sum(1),
              gain=lambda s, d, N: (s.normal * d.scaled).sum(1),
              shift=lambda s, d, N: d.scaled.sum(1),
              says="Sum over the axis along which it was broadcast: then the gradient has the shape of the array."),
        wrong("forgot to broadcast what was summed", squares=lambda s, d, N: d.variance / (N - 1),
              says="Each square has its own gradient, although it is the same in every row: multiply by "
                   "np.ones_like(squares)."),
        wrong("forgot one of two paths",
              counts=lambda s, d, N: s.inverse * d.probs,
              centred=lambda s, d, N: s.rstd * d.normal,
              sums=lambda s, d, N: d.centred,
              says="It is used twice in the forward pass, so two contributions come back. Which two lines of the "
                   "forward pass use it?"),
        wrong("= for += where paths meet",
              counts=lambda s, d, N: _everywhere(s.counts, d.total),
              logits=lambda s, d, N: np.eye(s.logits.shape[1])[s.logits.argmax(1)] * d.largest,
              centred=lambda s, d, N: 2 * s.centred * d.squares,
              sums=lambda s, d, N: _everywhere(s.sums, d.mean / N),
              says="The contribution of the second path replaced that of the first. It should be the sum of both."),
        wrong("forgot the slope",
              shifted=lambda s, d, N: d.counts,
              scaled=lambda s, d, N: d.h,
              centred=lambda s, d, N: s.rstd * d.normal + s.centred * d.squares,
              says="The gradient from above was passed on unchanged: the slope of this step is missing, or part of "
                   "it."),
        wrong("tanh's slope from its input", scaled=lambda s, d, N: (1 - s.scaled**2) * d.h,
              says="The slope of tanh is 1 minus the square of its output, not of its input."),
        wrong("tanh's slope from tanh taken twice", scaled=lambda s, d, N: (1 - np.tanh(s.h) ** 2) * d.h,
              says="h is the output of tanh already: its slope is 1 - h**2."),
        wrong("rstd for its third power", variance=lambda s, d, N: -0.5 * s.rstd * d.rstd,
              says="The power falls by one: from -0.5 to -1.5, which is rstd cubed."),
        wrong("forgot ε in the power", variance=lambda s, d, N: -0.5 * s.variance**-1.5 * d.rstd,
              says="The base of the power is variance + 1e-5, also in its slope. It matters for a unit that hardly "
                   "varies."),
        wrong("Bessel: N for N - 1", squares=lambda s, d, N: _everywhere(s.squares, d.variance / N),
              says="The variance is the sum of the squares divided by N - 1, so its gradient is also divided by N - "
                   "1."),
        wrong("= for += where an index repeats", C=lambda s, d, N: last_only(d.C, d.x, d.vectors),
              says="dC[x] += dvectors keeps only the last occurrence of a character. The gradients of all its "
                   "occurrences must add up."),
    ),
    hints=(
        "For each line of the forward pass: its own slope, times the gradient from above. Then check the shape.",
        "Two paths: counts (probs, total), logits (shifted, largest), centred (normal, squares), sums (centred, mean).",
        "A product Y = X @ W: dX = dY @ W.T, dW = X.T @ dY. A bias: dY.sum(0). For C: np.add.at(dC, x, dvectors).",
        "dvariance = -0.5 * (variance + 1e-5)**-1.5 * drstd; dsquares = dvariance / (N - 1) in every row.",
    ),
    unseen="Whether the share of largest was left out cannot be seen here: it is 0 up to rounding.",
    look="the figure of all gradients: each has the shape of its array, and is computed from those before it.",
)  # fmt: skip


# -- 5.2: cross-entropy -----------------------------------------------------------------------------------------------


def _scored(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"logits": rng.normal(0, 2, (4, 6)), "targets": np.array([5, 0, 2, 2])},
        {"logits": rng.normal(0, 1, (5, 5)), "targets": np.array([1, 3, 3, 0, 4])},
        {"logits": np.array([[1000.0, 1001.0, 0.0], [-1000.0, -1001.0, -999.0]]), "targets": np.array([0, 1])},
    ]


def _onehot(logits: FloatArray, targets: IntArray) -> FloatArray:
    rows: FloatArray = np.eye(logits.shape[1])[targets]
    return rows


def cross_entropy_backward(logits: FloatArray, targets: IntArray) -> FloatArray:
    return by_hand.cross_entropy_backward(by_hand.cross_entropy(logits, targets)[1], targets)


def _columns(logits: FloatArray, targets: IntArray) -> FloatArray:
    pulls = softmax(logits)
    pulls[:, targets] -= 1
    return pulls / len(targets)


def _p_times_rest(probs: FloatArray) -> FloatArray:
    return probs * (1 - probs)


def _unshifted(logits: FloatArray, targets: IntArray) -> FloatArray:
    counts = np.exp(logits)
    probs: FloatArray = counts / counts.sum(1, keepdims=True)
    return (probs - _onehot(logits, targets)) / len(targets)


CROSS_ENTROPY = Exercise(
    cases=_scored,
    solution=cross_entropy_backward,
    mistakes=(
        wrong("overflow", _unshifted,
              says="e to the power of 1000 overflows. Subtract the largest logit of each row first."),
        wrong("the largest of the whole batch subtracted",
              lambda logits, targets: _unshifted(logits - logits.max(), targets),
              says="In a row far below the largest logit of the batch, all exponentials become 0, and 0 / 0 is "
                   "undefined. Subtract the largest logit of each row: max(1, keepdims=True)."),
        wrong("forgot 1/N of the mean", lambda logits, targets: cross_entropy_backward(logits, targets) * len(targets),
              says="The loss is a mean over the rows, so divide the gradient of each row by N."),
        wrong("the one-hot target is missing", lambda logits, targets: softmax(logits) / len(targets),
              says="These are the probabilities alone, so every logit would be lowered, including the target's. "
                   "Subtract 1 at the target."),
        wrong("the probabilities are missing", lambda logits, targets: -_onehot(logits, targets) / len(targets),
              says="This raises the target's logit and leaves the others unchanged. But their probabilities must be "
                   "lowered: each row sums to 0."),
        wrong("p (1 - p), the slope of a sigmoid",
              lambda logits, targets: _p_times_rest(softmax(logits)) / len(targets),
              says="That is how a probability changes with its own logit. The loss also depends on the other logits, "
                   "through "
                   "the sum, and it is the log of one probability: use the formula for the loss."),
        wrong("only the target's logit",
              lambda logits, targets: (softmax(logits) - 1) * _onehot(logits, targets) / len(targets),
              says="The other logits are in the sum of the softmax, so they have a gradient, too: their probability."),
        wrong("p (1 - p) at the target only",
              lambda logits, targets: -_p_times_rest(softmax(logits)) * _onehot(logits, targets) / len(targets),
              says="That is how the target's probability changes with its own logit. The loss is the log of it, and "
                   "depends "
                   "on the other logits, too."),
        wrong("stopped at the probabilities",
              lambda logits, targets: -_onehot(logits, targets) / softmax(logits) / len(targets),
              says="That is the gradient with respect to the probabilities. One more step leads to the logits, through "
                   "softmax."),
        wrong("1 subtracted in whole columns", _columns,
              says="[:, targets] selects these columns in every row. For one element per row, use [np.arange(N), "
                   "targets]."),
        wrong("softmax over the wrong axis",
              lambda logits, targets: (softmax(logits, 0) - _onehot(logits, targets)) / len(targets),
              says="Each row is a distribution over characters: sum over axis 1, with keepdims, to get (N, 1)."),
    ),
    hints=(
        "One row with target y: loss = -z_y + log(sum of all e^z). What are its derivatives by z_y and by another z?",
        "The derivative of log(sum) with respect to z_v is e^z_v / sum, a probability. At y the first term adds -1.",
        "dlogits = softmax(logits); dlogits[np.arange(N), targets] -= 1; dlogits /= N.",
    ),
    look="the figure of dlogits in the lesson: one cell of each row is orange, and the row sums to 0.",
)  # fmt: skip


# -- 5.3: batch norm --------------------------------------------------------------------------------------------------


def _normalised(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for N, H in ((5, 3), (3, 4), (8, 2)):
        gain = rng.normal(1, 0.3, H)
        _, normal, rstd = by_hand.batch_norm(rng.normal(1, 2, (N, H)), gain, rng.normal(size=H))
        # a Gaussian gradient from above: with ones, dx would be 0 everywhere
        cases.append({"dy": rng.normal(size=(N, H)), "normal": normal, "rstd": rstd, "gain": gain})
    return cases


def _three(
    dy: FloatArray, normal: FloatArray, rstd: FloatArray, gain: FloatArray, *, mean: float = 1, variance: float = 1,
    bessel: bool = True, scale: Callable[..., Any] = lambda rstd, gain: rstd * gain, axis: int | None = 0,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Return (dx, dgain, dshift) as the sum over three paths, each of which may be left out or wrong."""
    N = len(dy)
    by_mean = dy.sum(axis, keepdims=True) / N
    by_variance = normal * (dy * normal).sum(axis, keepdims=True) / (N - 1 if bessel else N)
    dx = scale(rstd, gain) * (dy - mean * by_mean - variance * by_variance)
    return dx, (dy * normal).sum(0), dy.sum(0)


def _means(**case: Any) -> Any:
    dx, dgain, dshift = _three(**case)
    return dx, dgain / len(dx), dshift / len(dx)


BATCH_NORM = Exercise(
    cases=_normalised,
    solution=by_hand.batch_norm_backward,
    helper=_three,
    parts=("dx", "dgain", "dshift"),
    mistakes=(
        wrong("only the direct path", mean=0, variance=0,
              says="This treats the mean and the variance as constants. But each x changes both, and through them "
                   "its whole column."),
        wrong("forgot the path through the variance", variance=0,
              says="If an x moves away from the mean, the variance grows, and normal shrinks in all rows."),
        wrong("forgot the path through the mean", mean=0,
              says="If an x grows, the mean grows by 1/N of that, which lowers all rows. Each column of dx must sum "
                   "to 0."),
        wrong("Bessel: N for N - 1", bessel=False,
              says="The variance is divided by N - 1 here: one of the three terms is off by a factor of N/(N - 1), 3 "
                   "% for N = 32."),
        wrong("the sums are added, not subtracted", mean=-1, variance=-1,
              says="The paths through the mean and the variance both have a minus sign."),
        wrong("forgot the gain", scale=lambda rstd, gain: rstd,
              says="y is gain times normal, so the whole gradient is multiplied by gain."),
        wrong("sum for mean", lambda **case: _three(**case, mean=len(case["dy"]), variance=len(case["dy"]) - 1),
              says="Each x contributes 1/N to the mean: divide the sums by N."),
        wrong("summed over the wrong axis", axis=1,
              says="Batch norm is computed over the batch: sum over axis 0. The columns are independent."),
        wrong("mean for sum", _means,
              says="gain and shift are used in every row, so their gradients are sums over N paths."),
    ),
    hints=(
        "gain and shift first: both are used in every row, so their gradients are sums over the rows.",
        "Three paths lead from x to y. Directly: gain * rstd * dy. Through the mean: subtract its mean over the rows.",
        "Through the variance: subtract gain * rstd * normal * sum(dy * normal) / (N - 1). The sum is dgain.",
        "dx = gain * rstd / N * (N * dy - dshift - N / (N - 1) * normal * dgain)",
    ),
    look="the figure in the lesson of how each x influences each y: not only the diagonal is nonzero.",
)  # fmt: skip


# -- 5.4: training ----------------------------------------------------------------------------------------------------

_BACK: Final = ("b2", "W2", "gain", "shift", "b1", "W1", "C")

_Gradient = Callable[[Any, IntArray, IntArray], tuple[float, Any]]


def _batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for N, V, steps, lr in ((6, 7, 4, 0.3), (5, 9, 3, 1.0)):
        weights = by_hand.first_weights(V, context=3, embedding=2, hidden=5, rng=rng, dtype=np.float64)
        drawn = [(rng.integers(0, V, (N, 3)), rng.integers(0, V, N)) for _ in range(steps)]
        weights.W1[:, 0] *= 0.01  # a unit that hardly varies: ε matters there
        cases.append({"weights": weights, "batches": drawn, "lr": lr})
    return cases


def _copied(weights: Any) -> Any:
    return by_hand.Weights(*(array.copy() for array in weights))


def _trained(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return the losses and weights after one step and after all: some mistakes only show after the first step."""
    found: dict[str, Any] = {}
    for batches in (case["batches"][:1], case["batches"]):
        mine = _copied(case["weights"])
        outcome = call(answer, dict(case, weights=mine, batches=list(batches)))
        if outcome is None or outcome is ...:
            return None
        # weights that were changed in place need not be returned
        pair = isinstance(outcome, tuple) and len(outcome) == 2 and isinstance(outcome[1], Mapping | Sequence)
        losses, weights = outcome if pair else (outcome, mine)
        named = weights if isinstance(weights, Mapping) else dict(zip(mine._fields, weights, strict=False))
        losses_of, after = ("the first loss", "one step") if len(batches) == 1 else ("the losses", "the last step")
        found |= {losses_of: losses} | {f"{name} after {after}": named[name] for name in _BACK if name in named}
    return found


def train_by_hand(
    weights: Any, batches: Sequence[tuple[IntArray, IntArray]], lr: float, *,
    gradient: _Gradient = by_hand.loss_and_gradients, frozen: tuple[str, ...] = (), piled: bool = False,
) -> tuple[list[float], Any]:  # fmt: skip
    losses, before = [], [np.zeros_like(array) for array in weights]
    for x, y in batches:
        loss, found = gradient(weights, x, y)
        losses.append(loss)
        before = [old + new for old, new in zip(before, found, strict=True)] if piled else list(found)
        for name, weight, one in zip(weights._fields, weights, before, strict=True):
            if name not in frozen:
                weight -= lr * one  # noqa: PLW2901  (in place: the array is the weight)
    return losses, weights


def _two_layers(
    weights: Any, x: IntArray, y: IntArray, *, correction: int = 1, direct: bool = False, bessel: bool = True,
    add: bool = True, W2: FloatArray | None = None,
) -> tuple[float, Any]:  # fmt: skip
    """Return what `by_hand.loss_and_gradients` does, or a wrong result on request."""
    vectors = weights.C[x]
    joined = vectors.reshape(len(x), -1)
    scaled, normal, rstd = by_hand.batch_norm(joined @ weights.W1 + weights.b1, weights.gain, weights.shift, correction)
    h = np.tanh(scaled)
    loss, probs = by_hand.cross_entropy(h @ weights.W2 + weights.b2, y)
    dlogits = by_hand.cross_entropy_backward(probs, y)
    dscaled = (1 - h**2) * (dlogits @ (weights.W2 if W2 is None else W2).T)
    dsums, dgain, dshift = _three(
        dscaled, normal, rstd, weights.gain, mean=not direct, variance=not direct, bessel=bessel and correction == 1
    )
    dvectors = (dsums @ weights.W1.T).reshape(vectors.shape)
    dC = last_only(weights.C, x, dvectors)
    if add:
        np.add.at(dC := np.zeros_like(dC), x, dvectors)
    dW2, dW1 = h.T @ dlogits, joined.T @ dsums
    return loss, by_hand.Weights(dC, dW1, dsums.sum(0), dgain, dshift, dW2, dlogits.sum(0))


def _too_early(weights: Any, batches: Any, lr: float) -> Any:
    """Return the result if W2 is updated before the gradient passes through it."""

    def gradient(weights: Any, x: IntArray, y: IntArray) -> tuple[float, Any]:
        _, found = by_hand.loss_and_gradients(weights, x, y)
        return _two_layers(weights, x, y, W2=weights.W2 - lr * found.W2)

    return train_by_hand(weights, batches, lr, gradient=gradient)


TRAINING = Exercise(
    cases=_batches,
    solution=train_by_hand,
    use=_trained,
    rtol=1e-6,
    mistakes=(
        wrong("uphill", lambda weights, batches, lr: train_by_hand(weights, batches, -lr),
              says="The gradient points in the direction in which the loss grows: move the weights against it."),
        wrong("forgot 1/N of the mean",
              lambda weights, batches, lr: train_by_hand(weights, batches, lr * len(batches[0][0])),
              says="Every step is N times too long: the loss is a mean over the batch, and so is its gradient."),
        wrong("biased variance", gradient=partial(_two_layers, correction=0),
              says="The variance was divided by N. np.var does that unless you pass ddof=1; torch.var does not."),
        wrong("only batch norm's direct path", gradient=partial(_two_layers, direct=True),
              says="The gradient that leaves batch norm treats the mean and the variance as constants: see 5.3."),
        wrong("Bessel: N for N - 1", gradient=partial(_two_layers, bessel=False),
              says="The variance is divided by N - 1, so the backward pass has a factor of N/(N - 1): see 5.3."),
        wrong("W2 updated too early", _too_early,
              says="The gradient was passed back through the updated W2. Compute all gradients first; then update "
                   "the weights."),
        wrong("= for += where an index repeats", gradient=partial(_two_layers, add=False),
              says="dC[x] += dvectors keeps only the last occurrence of a character: use np.add.at or a loop."),
        wrong("forgot to zero the gradient", piled=True,
              says="The first step is right, but later ones include its gradient: start each batch from zero "
                   "gradients."),
        wrong("gain and shift are not trained", frozen=("gain", "shift"),
              says="Seven arrays are trained, including the two of batch norm."),
        wrong("the old weights were returned",
              lambda weights, batches, lr: (train_by_hand(_copied(weights), batches, lr)[0], weights),
              says="The losses are right, but the weights are the initial ones: return the new ones, or change the "
                   "old ones in place."),
    ),
    hints=(
        "One step: forward; 5.2 for dlogits; a product and a bias; tanh; 5.3; a product and a bias; the rows of C.",
        "Variance: x.var(0, ddof=1). dh = dlogits @ W2.T, dscaled = (1 - h**2) * dh, then batch_norm_backward.",
        "dW1 = joined.T @ dsums, db1 = dsums.sum(0), dvectors = (dsums @ W1.T).reshape(N, 3, -1); 2.4 for dC.",
        "Only then: for weight, gradient in zip(weights, gradients): weight -= lr * gradient.",
    ),
    look="your losses compared with autograd's in the lesson: from which step on do they differ?",
)  # fmt: skip

EXERCISES = (INTERMEDIATES, CROSS_ENTROPY, BATCH_NORM, TRAINING)
