"""Lesson 5: the gradients of the MLP with batch norm by hand; step by step, in one piece, and in a training loop."""

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
"""Of the gradients, as the walk back comes to them."""

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
    # no two sizes are the same, so that a wrong axis shows
    for N, V, T, E, H in ((4, 7, 3, 2, 5), (6, 5, 2, 4, 3)):
        weights = by_hand.first_weights(V, context=T, embedding=E, hidden=H, rng=rng, dtype=np.float64)
        weights.W1[:, 0] *= 0.01  # a unit that hardly varies: there ε counts
        x, y = rng.integers(0, V, (N, T)), rng.integers(0, V, N)
        x[1] = x[0][::-1]  # characters that come twice
        cases.append({"weights": weights, "steps": by_hand.forward(weights, x, y), "x": x, "y": y})
    return cases


def all_gradients(weights: Any, steps: Any, x: IntArray, y: IntArray, **wrong: Callable[..., Any]) -> dict[str, Any]:
    """Return the gradients; some may be wrong, each worked out from steps, right gradients, and N."""
    by_weight, by_step = by_hand.backward(weights, steps, x, y)
    found = by_weight._asdict() | by_step._asdict()
    right = {name: found[name] for name in _ORDER}
    after = SimpleNamespace(**right, x=x)
    return right | {name: slip(steps, after, len(x)) for name, slip in wrong.items()}


def _by_name(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return an answer's gradients by our names; the lecture's names will do, and so will a d in front."""
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
              says="Forward there is a mean: each number has only its share in it. Divide."),
        wrong("all logprobs, not the targets' alone", logprobs=lambda s, d, N: np.full_like(s.logprobs, -1 / N),
              says="The loss picks one number from each row. Of the others it knows nothing, and their gradient is 0."),
        wrong("mean for sum",
              inverse=lambda s, d, N: (s.counts * d.probs).mean(1, keepdims=True),
              b2=lambda s, d, N: d.logits.mean(0),
              gain=lambda s, d, N: (s.normal * d.scaled).mean(0),
              shift=lambda s, d, N: d.scaled.mean(0),
              mean=lambda s, d, N: -d.centred.mean(0),
              says="What was broadcast is felt along every path, and the shares add up: sum, and do not divide."),
        wrong("summed over the wrong axis",
              inverse=lambda s, d, N: (s.counts * d.probs).sum(0, keepdims=True),
              b2=lambda s, d, N: d.logits.sum(1),
              gain=lambda s, d, N: (s.normal * d.scaled).sum(1),
              shift=lambda s, d, N: d.scaled.sum(1),
              says="Sum over the axis along which it was broadcast: then what is left has its own shape."),
        wrong("forgot to broadcast what was summed", squares=lambda s, d, N: d.variance / (N - 1),
              says="Each square has its own gradient, if the same in every row: np.ones_like(squares) times it."),
        wrong("forgot one of two paths",
              counts=lambda s, d, N: s.inverse * d.probs,
              centred=lambda s, d, N: s.rstd * d.normal,
              sums=lambda s, d, N: d.centred,
              says="It is used twice forward, so two shares come back. Which two lines of the forward pass have it?"),
        wrong("= for += where paths meet",
              counts=lambda s, d, N: _everywhere(s.counts, d.total),
              logits=lambda s, d, N: np.eye(s.logits.shape[1])[s.logits.argmax(1)] * d.largest,
              centred=lambda s, d, N: 2 * s.centred * d.squares,
              sums=lambda s, d, N: _everywhere(s.sums, d.mean / N),
              says="The second path's share stands where the sum of both should: the first was overwritten."),
        wrong("forgot the slope",
              shifted=lambda s, d, N: d.counts,
              scaled=lambda s, d, N: d.h,
              centred=lambda s, d, N: s.rstd * d.normal + s.centred * d.squares,
              says="The gradient from above came through as it was: the step's own slope is missing, or part of it."),
        wrong("tanh's slope by its input", scaled=lambda s, d, N: (1 - s.scaled**2) * d.h,
              says="The slope of tanh is 1 less the square of what came out, not of what went in."),
        wrong("forgot ε in the power", variance=lambda s, d, N: -0.5 * s.variance**-1.5 * d.rstd,
              says="The power is of variance + 1e-5, and so is its slope. It shows where a unit hardly varies."),
        wrong("Bessel: N for N - 1", squares=lambda s, d, N: _everywhere(s.squares, d.variance / N),
              says="The variance is the sum of the squares divided by N - 1, forward and so backward."),
        wrong("= for += where an index repeats", C=lambda s, d, N: last_only(d.C, d.x, d.vectors),
              says="dC[x] += dvectors keeps only the last of a character's places. Its gradients add."),
    ),
    hints=(
        "For each line of the forward pass: its own slope, times the gradient from above. Then mind the shape.",
        "Two paths: counts (probs, total), logits (shifted, largest), centred (normal, squares), sums (centred, mean).",
        "A product Y = X @ W: dX = dY @ W.T, dW = X.T @ dY. A bias: dY.sum(0). For C: np.add.at(dC, x, dvectors).",
        "dvariance = -0.5 * (variance + 1e-5)**-1.5 * drstd; dsquares = dvariance / (N - 1) in every row.",
    ),
    look="the picture of the cascade: each gradient has the shape of what it is of, and comes from those before it.",
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


def _unshifted(logits: FloatArray, targets: IntArray) -> FloatArray:
    counts = np.exp(logits)
    probs: FloatArray = counts / counts.sum(1, keepdims=True)
    return (probs - _onehot(logits, targets)) / len(targets)


CROSS_ENTROPY = Exercise(
    cases=_scored,
    solution=cross_entropy_backward,
    mistakes=(
        wrong("overflow", _unshifted,
              says="e to the 1000 is more than a float holds. Take each row's largest logit off first."),
        wrong("the largest of the whole batch taken off",
              lambda logits, targets: _unshifted(logits - logits.max(), targets),
              says="A row that lies far below the largest of the batch becomes all 0, and 0 / 0 is nothing. Take off "
                   "each row's own largest: max(1, keepdims=True)."),
        wrong("forgot 1/N of the mean", lambda logits, targets: cross_entropy_backward(logits, targets) * len(targets),
              says="The loss is a mean over the rows, so each row has one Nth of the say."),
        wrong("only the pushes", lambda logits, targets: softmax(logits) / len(targets),
              says="That pushes every logit down, the target's too. The target is pulled up: where is its minus 1?"),
        wrong("only the pull", lambda logits, targets: -_onehot(logits, targets) / len(targets),
              says="That pulls the target up and leaves the rest. But others push: a row sums to 0."),
        wrong("1 off in whole columns", _columns,
              says="[:, targets] means those columns in every row. One place in each row: [np.arange(N), targets]."),
        wrong("softmax over the wrong axis",
              lambda logits, targets: (softmax(logits, 0) - _onehot(logits, targets)) / len(targets),
              says="Each row is a distribution over characters: sum over axis 1, and keep it as (N, 1)."),
    ),
    hints=(
        "One row, target y: loss = -z_y + log of the sum of all e^z. What is the derivative by z_y, what by another?",
        "The derivative of log(sum) by z_v is e^z_v / sum, a probability. At y the first term gives -1 besides.",
        "dlogits = softmax(logits); dlogits[np.arange(N), targets] -= 1; dlogits /= N.",
    ),
    look="the picture of dlogits in the lesson: one cell of each row is orange, and the row sums to 0.",
)  # fmt: skip


# -- 5.3: batch norm --------------------------------------------------------------------------------------------------


def _normalised(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for N, H in ((5, 3), (3, 4), (8, 2)):
        gain = rng.normal(1, 0.3, H)
        _, normal, rstd = by_hand.batch_norm(rng.normal(1, 2, (N, H)), gain, rng.normal(size=H))
        # a Gaussian gradient from above: with ones all of dx would be 0
        cases.append({"dy": rng.normal(size=(N, H)), "normal": normal, "rstd": rstd, "gain": gain})
    return cases


def _three(
    dy: FloatArray, normal: FloatArray, rstd: FloatArray, gain: FloatArray, *, mean: float = 1, variance: float = 1,
    bessel: bool = True, scale: Callable[..., Any] = lambda rstd, gain: rstd * gain, axis: int | None = 0,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Return (dx, dgain, dshift) from three paths, each of which may be left out or done wrong."""
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
              says="As if mean and variance were fixed numbers. But each x moves both, and so its whole column."),
        wrong("forgot the variance's path", variance=0,
              says="An x that moves away from the mean widens the spread, and all rows shrink."),
        wrong("forgot the mean's path", mean=0,
              says="An x that grows lifts the mean, and all rows sink by an Nth. Each column of dx must sum to 0."),
        wrong("Bessel: N for N - 1", bessel=False,
              says="The variance is divided by N - 1 here: one of three terms is off by N/(N - 1), 3 % at N = 32."),
        wrong("the sums are added", mean=-1, variance=-1,
              says="Mean and variance take something off: both terms have a minus."),
        wrong("forgot the gain", scale=lambda rstd, gain: rstd,
              says="y is gain times normal: on its way back everything passes that factor."),
        wrong("sum for mean", lambda **case: _three(**case, mean=len(case["dy"]), variance=len(case["dy"]) - 1),
              says="Each x has an Nth of the mean, not all of it: divide the sums."),
        wrong("summed over the wrong axis", axis=1,
              says="Batch norm looks along the batch: sum over axis 0, and columns do not meet."),
        wrong("mean for sum", _means,
              says="gain and shift are used in every row, and what comes back along N paths adds up."),
    ),
    hints=(
        "gain and shift first: both are used in every row, so their gradients are sums over the rows.",
        "Three paths lead from x to y. Directly: gain * rstd * dy. By the mean: take off its mean over the rows.",
        "By the variance: take off gain * rstd * normal * sum(dy * normal) / (N - 1). Two of these sums you have.",
        "dx = gain * rstd / N * (N * dy - dshift - N / (N - 1) * normal * dgain)",
    ),
    look="the picture in the lesson of what each x does to each y: not only the diagonal is lit.",
)  # fmt: skip


# -- 5.4: training ----------------------------------------------------------------------------------------------------

_BACK: Final = ("b2", "W2", "gain", "shift", "b1", "W1", "C")

_Gradient = Callable[[Any, IntArray, IntArray], tuple[float, Any]]


def _batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for N, V, steps, lr in ((6, 7, 4, 0.3), (5, 9, 3, 1.0)):
        weights = by_hand.first_weights(V, context=3, embedding=2, hidden=5, rng=rng, dtype=np.float64)
        drawn = [(rng.integers(0, V, (N, 3)), rng.integers(0, V, N)) for _ in range(steps)]
        cases.append({"weights": weights, "batches": drawn, "lr": lr})
    return cases


def _copied(weights: Any) -> Any:
    return by_hand.Weights(*(array.copy() for array in weights))


def _trained(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return losses and weights, after one step too: where the first step is right, a later one shows what is kept."""
    found: dict[str, Any] = {}
    for batches in (case["batches"][:1], case["batches"]):
        mine = _copied(case["weights"])
        outcome = call(answer, dict(case, weights=mine, batches=list(batches)))
        if outcome is None or outcome is ...:
            return None
        # weights that were changed in place need not be handed back
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
    """Return what `by_hand.loss_and_gradients` does, with slips on demand."""
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
    """Return what comes out if W2 has moved before the gradient passes through it."""

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
              says="The gradient points to where the loss grows: move the weights against it."),
        wrong("forgot 1/N of the mean",
              lambda weights, batches, lr: train_by_hand(weights, batches, lr * len(batches[0][0])),
              says="Every step is N times too long: the loss is a mean over the batch, and so is its gradient."),
        wrong("biased variance", gradient=partial(_two_layers, correction=0),
              says="The variance was divided by N. np.var does that unless it is told ddof=1; torch.var does not."),
        wrong("only batch norm's direct path", gradient=partial(_two_layers, direct=True),
              says="What lies behind batch norm gets the gradient as if mean and variance were fixed: see 5.3."),
        wrong("Bessel: N for N - 1", gradient=partial(_two_layers, bessel=False),
              says="Forward the variance is divided by N - 1, so the way back has a factor N/(N - 1): see 5.3."),
        wrong("W2 moved too early", _too_early,
              says="The gradient went back through the new W2. Work out all gradients first; then move the weights."),
        wrong("= for += where an index repeats", gradient=partial(_two_layers, add=False),
              says="dC[x] += dvectors keeps only the last of a character's places: np.add.at, or a loop."),
        wrong("forgot to zero the gradient", piled=True,
              says="The first step is right, and later ones repeat it: start each batch from zeros."),
        wrong("gain and shift are not trained", frozen=("gain", "shift"),
              says="Seven arrays are learnt, and batch norm's two are among them."),
        wrong("the old weights came back",
              lambda weights, batches, lr: (train_by_hand(_copied(weights), batches, lr)[0], weights),
              says="The losses are right, the weights those from before: return the new, or change the old in place."),
    ),
    hints=(
        "One step: forward; 5.2 for dlogits; a product and a bias; tanh; 5.3; a product and a bias; the rows of C.",
        "Variance: x.var(0, ddof=1). dh = dlogits @ W2.T, dscaled = (1 - h**2) * dh, then batch_norm_backward.",
        "dW1 = joined.T @ dsums, db1 = dsums.sum(0), dvectors = (dsums @ W1.T).reshape(N, 3, -1); 2.4 for dC.",
        "Only now: for weight, gradient in zip(weights, gradients): weight -= lr * gradient.",
    ),
    look="the losses beside autograd's in the lesson: from which step on do yours differ?",
)  # fmt: skip

EXERCISES = (INTERMEDIATES, CROSS_ENTROPY, BATCH_NORM, TRAINING)
