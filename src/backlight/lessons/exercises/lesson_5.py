"""Lesson 5: the gradients of the MLP with batch norm by hand; step by step, in one piece, and in a training loop."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Case, Exercise, Mistake, call
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


def _gradients(weights: Any, steps: Any, x: IntArray, y: IntArray) -> dict[str, Any]:
    by_weight, by_step = by_hand.backward(weights, steps, x, y)
    found = by_weight._asdict() | by_step._asdict()
    return {name: found[name] for name in _ORDER}


def _by_name(answer: Callable[..., Any], case: Case) -> Any:
    """Return an answer's gradients by our names; the lecture's names will do, and so will a d in front."""
    found = call(answer, case)
    if isinstance(found, tuple) and all(hasattr(one, "_asdict") for one in found):
        found = {name: array for one in found for name, array in one._asdict().items()}
    if not isinstance(found, Mapping):
        return found
    return {_OURS.get(name, name): array for name, array in found.items()}


def _slip(**wrong: Callable[[Any, Any, Any, int], Any]) -> Callable[..., dict[str, Any]]:
    """Return an answer that is right but for some parts, each worked out from weights, steps, right gradients and N."""

    def answer(weights: Any, steps: Any, x: IntArray, y: IntArray) -> dict[str, Any]:
        right = _gradients(weights, steps, x, y)
        after = SimpleNamespace(**right, x=x, y=y)
        return right | {name: slip(weights, steps, after, len(x)) for name, slip in wrong.items()}

    return answer


def _everywhere(like: FloatArray, numbers: FloatArray) -> FloatArray:
    return np.broadcast_to(numbers, like.shape).copy()


def _last_only(C: FloatArray, ids: IntArray, dvectors: FloatArray) -> FloatArray:
    dC = np.zeros_like(C)
    dC[ids] += dvectors
    return dC


INTERMEDIATES = Exercise(
    id="5.1",
    title="Every step by hand",
    answer="all_gradients",
    task="""\
Write `all_gradients(weights, steps, x, y)`: the gradient of the loss by each of 26 arrays. `weights` has `C` (V, E),
`W1` (I, H), `b1`, `gain` and `shift` (H,), `W2` (H, V), `b2` (V,). `steps` has what the forward pass computed:
`steps.probs` and so on. `x` (N, T) are ids, `y` (N,) targets. Return a dictionary by name: `d["probs"]` is the
gradient of `steps.probs`, in the same shape. In the order of the walk: logprobs, probs, inverse, total, counts,
shifted, largest, logits, h, W2, b2, scaled, gain, shift, normal, rstd, variance, squares, centred, mean, sums, joined,
W1, b1, vectors, C. Hand in the first few, if you like: the check says how far they are right.""",
    cases=_networks,
    solution=_gradients,
    use=_by_name,
    in_parts=True,
    mistakes=(
        Mistake(
            name="sum for mean",
            answer=_slip(
                logprobs=lambda w, s, d, N: d.logprobs * N,
                squares=lambda w, s, d, N: _everywhere(s.squares, d.variance),
                sums=lambda w, s, d, N: d.centred + d.mean,
            ),
            message="Forward there is a mean: each number has only its share in it. Divide.",
        ),
        Mistake(
            name="all logprobs, not the targets' alone",
            answer=_slip(logprobs=lambda w, s, d, N: np.full_like(s.logprobs, -1 / N)),
            message="The loss picks one number from each row. Of the others it knows nothing, and their gradient is 0.",
        ),
        Mistake(
            name="mean for sum",
            answer=_slip(
                inverse=lambda w, s, d, N: (s.counts * d.probs).mean(1, keepdims=True),
                b2=lambda w, s, d, N: d.logits.mean(0),
                gain=lambda w, s, d, N: (s.normal * d.scaled).mean(0),
                shift=lambda w, s, d, N: d.scaled.mean(0),
                mean=lambda w, s, d, N: -d.centred.mean(0),
            ),
            message="What was broadcast is felt along every path, and the shares add up: sum, and do not divide.",
        ),
        Mistake(
            name="summed over the wrong axis",
            answer=_slip(
                inverse=lambda w, s, d, N: (s.counts * d.probs).sum(0, keepdims=True),
                b2=lambda w, s, d, N: d.logits.sum(1),
                gain=lambda w, s, d, N: (s.normal * d.scaled).sum(1),
                shift=lambda w, s, d, N: d.scaled.sum(1),
            ),
            message="Sum over the axis along which it was broadcast: then what is left has its own shape.",
        ),
        Mistake(
            name="forgot to broadcast what was summed",
            answer=_slip(squares=lambda w, s, d, N: d.variance / (N - 1)),
            message="Each square has its own gradient, if the same in every row: np.ones_like(squares) times it.",
        ),
        Mistake(
            name="forgot one of two paths",
            answer=_slip(
                counts=lambda w, s, d, N: s.inverse * d.probs,
                centred=lambda w, s, d, N: s.rstd * d.normal,
                sums=lambda w, s, d, N: d.centred,
            ),
            message="It is used twice forward, so two shares come back. Which two lines of the forward pass have it?",
        ),
        Mistake(
            name="= for += where paths meet",
            answer=_slip(
                counts=lambda w, s, d, N: _everywhere(s.counts, d.total),
                logits=lambda w, s, d, N: np.eye(s.logits.shape[1])[s.logits.argmax(1)] * d.largest,
                centred=lambda w, s, d, N: 2 * s.centred * d.squares,
                sums=lambda w, s, d, N: _everywhere(s.sums, d.mean / N),
            ),
            message="The second path's share stands where the sum of both should: the first was overwritten.",
        ),
        Mistake(
            name="forgot the slope",
            answer=_slip(
                shifted=lambda w, s, d, N: d.counts,
                scaled=lambda w, s, d, N: d.h,
                centred=lambda w, s, d, N: s.rstd * d.normal + s.centred * d.squares,
            ),
            message="The gradient from above came through as it was: the step's own slope is missing, or part of it.",
        ),
        Mistake(
            name="tanh's slope by its input",
            answer=_slip(scaled=lambda w, s, d, N: (1 - s.scaled**2) * d.h),
            message="The slope of tanh is 1 less the square of what came out, not of what went in.",
        ),
        Mistake(
            name="forgot ε in the power",
            answer=_slip(variance=lambda w, s, d, N: -0.5 * s.variance**-1.5 * d.rstd),
            message="The power is of variance + 1e-5, and so is its slope. It shows where a unit hardly varies.",
        ),
        Mistake(
            name="Bessel: N for N - 1",
            answer=_slip(squares=lambda w, s, d, N: _everywhere(s.squares, d.variance / N)),
            message="The variance is the sum of the squares divided by N - 1, forward and so backward.",
        ),
        Mistake(
            name="= for += where an index repeats",
            answer=_slip(C=lambda w, s, d, N: _last_only(w.C, d.x, d.vectors)),
            message="dC[x] += dvectors keeps only the last of a character's places. Its gradients add.",
        ),
    ),
    hints=(
        "For each line of the forward pass: its own slope, times the gradient from above. Then mind the shape.",
        "Two paths: counts (probs, total), logits (shifted, largest), centred (normal, squares), sums (centred, mean).",
        "A product Y = X @ W: dX = dY @ W.T, dW = X.T @ dY. A bias: dY.sum(0). For C: np.add.at(dC, x, dvectors).",
        "dvariance = -0.5 * (variance + 1e-5)**-1.5 * drstd; dsquares = dvariance / (N - 1) in every row.",
    ),
    look="the picture of the cascade: each gradient has the shape of what it is of, and comes from those before it.",
)


# -- 5.2: cross-entropy -----------------------------------------------------------------------------------------------


def _scored(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"logits": rng.normal(0, 2, (4, 6)), "targets": np.array([5, 0, 2, 2])},
        {"logits": rng.normal(0, 1, (5, 5)), "targets": np.array([1, 3, 3, 0, 4])},
        {"logits": np.array([[1000.0, 1001.0, 0.0], [-1000.0, -1001.0, -999.0]]), "targets": np.array([0, 1])},
    ]


def _softmax(logits: FloatArray, axis: int = 1) -> FloatArray:
    counts = np.exp(logits - logits.max(axis, keepdims=True))
    probs: FloatArray = counts / counts.sum(axis, keepdims=True)
    return probs


def _onehot(logits: FloatArray, targets: IntArray) -> FloatArray:
    rows: FloatArray = np.eye(logits.shape[1])[targets]
    return rows


def _pulls(logits: FloatArray, targets: IntArray) -> FloatArray:
    return by_hand.cross_entropy_backward(by_hand.cross_entropy(logits, targets)[1], targets)


def _columns(logits: FloatArray, targets: IntArray) -> FloatArray:
    pulls = _softmax(logits)
    pulls[:, targets] -= 1
    return pulls / len(targets)


def _unshifted(logits: FloatArray, targets: IntArray) -> FloatArray:
    counts = np.exp(logits)
    probs: FloatArray = counts / counts.sum(1, keepdims=True)
    return (probs - _onehot(logits, targets)) / len(targets)


CROSS_ENTROPY = Exercise(
    id="5.2",
    title="Cross-entropy in one piece",
    answer="cross_entropy_backward",
    task="""\
Write `cross_entropy_backward(logits, targets)`. `logits` is an array (N, V), `targets` (N,) whole numbers. The loss is
the mean over the rows of -log p, where p is softmax of the row at its target. Return its gradient by the logits,
(N, V), in one piece: without the gradients of logprobs, probs and the rest. Logits of 1000 are allowed.""",
    cases=_scored,
    solution=_pulls,
    mistakes=(
        Mistake(
            name="overflow",
            answer=_unshifted,
            message="e to the 1000 is more than a float holds. Take each row's largest logit off first.",
        ),
        Mistake(
            name="the largest of the whole batch taken off",
            answer=lambda logits, targets: _unshifted(logits - logits.max(), targets),
            message="A row that lies far below the largest of the batch becomes all 0, and 0 / 0 is nothing. Take off "
            "each row's own largest: max(1, keepdims=True).",
        ),
        Mistake(
            name="forgot 1/N of the mean",
            answer=lambda logits, targets: _pulls(logits, targets) * len(targets),
            message="The loss is a mean over the rows, so each row has one Nth of the say.",
        ),
        Mistake(
            name="only the pushes",
            answer=lambda logits, targets: _softmax(logits) / len(targets),
            message="That pushes every logit down, the target's too. The target is pulled up: where is its minus 1?",
        ),
        Mistake(
            name="only the pull",
            answer=lambda logits, targets: -_onehot(logits, targets) / len(targets),
            message="That pulls the target up and leaves the rest. But others push: a row sums to 0.",
        ),
        Mistake(
            name="1 off in whole columns",
            answer=_columns,
            message="[:, targets] means those columns in every row. One place in each row: [np.arange(N), targets].",
        ),
        Mistake(
            name="softmax over the wrong axis",
            answer=lambda logits, targets: (_softmax(logits, 0) - _onehot(logits, targets)) / len(targets),
            message="Each row is a distribution over characters: sum over axis 1, and keep it as (N, 1).",
        ),
    ),
    hints=(
        "One row, target y: loss = -z_y + log of the sum of all e^z. What is the derivative by z_y, what by another?",
        "The derivative of log(sum) by z_v is e^z_v / sum, a probability. At y the first term gives -1 besides.",
        "dlogits = softmax(logits); dlogits[np.arange(N), targets] -= 1; dlogits /= N.",
    ),
    look="the picture of dlogits in the lesson: one cell of each row is orange, and the row sums to 0.",
)


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
    id="5.3",
    title="Batch norm in one piece",
    answer="batch_norm_backward",
    task="""\
Write `batch_norm_backward(dy, normal, rstd, gain)`. Forward, each column of x (N, H) was treated so: `normal = (x -
mean) * rstd` and `y = gain * normal + shift`, where `rstd` is 1 over the root of the variance + 1e-5, and the variance
is divided by N - 1. `dy` (N, H) is the gradient from above, `gain` is (H,), `normal` (N, H) and `rstd` (H,) are as
computed. Return `dx, dgain, dshift`, of shapes (N, H), (H,) and (H,), a formula for each.""",
    cases=_normalised,
    solution=by_hand.batch_norm_backward,
    parts=("dx", "dgain", "dshift"),
    mistakes=(
        Mistake(
            name="only the direct path",
            answer=lambda **case: _three(**case, mean=0, variance=0),
            message="As if mean and variance were fixed numbers. But each x moves both, and so its whole column.",
        ),
        Mistake(
            name="forgot the variance's path",
            answer=lambda **case: _three(**case, variance=0),
            message="An x that moves away from the mean widens the spread, and all rows shrink.",
        ),
        Mistake(
            name="forgot the mean's path",
            answer=lambda **case: _three(**case, mean=0),
            message="An x that grows lifts the mean, and all rows sink by an Nth. Each column of dx must sum to 0.",
        ),
        Mistake(
            name="Bessel: N for N - 1",
            answer=lambda **case: _three(**case, bessel=False),
            message="The variance is divided by N - 1 here: one of three terms is off by N/(N - 1), 3 % at N = 32.",
        ),
        Mistake(
            name="the sums are added",
            answer=lambda **case: _three(**case, mean=-1, variance=-1),
            message="Mean and variance take something off: both terms have a minus.",
        ),
        Mistake(
            name="forgot the gain",
            answer=lambda **case: _three(**case, scale=lambda rstd, gain: rstd),
            message="y is gain times normal: on its way back everything passes that factor.",
        ),
        Mistake(
            name="sum for mean",
            answer=lambda **case: _three(**case, mean=len(case["dy"]), variance=len(case["dy"]) - 1),
            message="Each x has an Nth of the mean, not all of it: divide the sums.",
        ),
        Mistake(
            name="summed over the wrong axis",
            answer=lambda **case: _three(**case, axis=1),
            message="Batch norm looks along the batch: sum over axis 0, and columns do not meet.",
        ),
        Mistake(
            name="mean for sum",
            answer=_means,
            message="gain and shift are used in every row, and what comes back along N paths adds up.",
        ),
    ),
    hints=(
        "gain and shift first: both are used in every row, so their gradients are sums over the rows.",
        "Three paths lead from x to y. Directly: gain * rstd * dy. By the mean: take off its mean over the rows.",
        "By the variance: take off gain * rstd * normal * sum(dy * normal) / (N - 1). Two of these sums you have.",
        "dx = gain * rstd / N * (N * dy - dshift - N / (N - 1) * normal * dgain)",
    ),
    look="the picture in the lesson of what each x does to each y: not only the diagonal is lit.",
)


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


def _trained(answer: Callable[..., Any], case: Case) -> Any:
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


def _train(
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
    dC = _last_only(weights.C, x, dvectors)
    if add:
        np.add.at(dC := np.zeros_like(dC), x, dvectors)
    dW2, dW1 = h.T @ dlogits, joined.T @ dsums
    return loss, by_hand.Weights(dC, dW1, dsums.sum(0), dgain, dshift, dW2, dlogits.sum(0))


def _slipping(**slips: Any) -> Callable[..., Any]:
    return lambda **case: _train(**case, gradient=lambda weights, x, y: _two_layers(weights, x, y, **slips))


def _too_early(weights: Any, batches: Any, lr: float) -> Any:
    """Return what comes out if W2 has moved before the gradient passes through it."""

    def gradient(weights: Any, x: IntArray, y: IntArray) -> tuple[float, Any]:
        _, found = by_hand.loss_and_gradients(weights, x, y)
        return _two_layers(weights, x, y, W2=weights.W2 - lr * found.W2)

    return _train(weights, batches, lr, gradient=gradient)


TRAINING = Exercise(
    id="5.4",
    title="Train without autograd",
    answer="train_by_hand",
    task="""\
Write `train_by_hand(weights, batches, lr)`. `weights` has `C`, `W1`, `b1`, `gain`, `shift`, `W2`, `b2` as in 5.1;
`batches` is a list of pairs `(x, y)` of ids (N, 3) and targets (N,). For each batch: forward, with batch norm as in
5.3; the loss; all seven gradients by hand; then move every weight by `lr` times its gradient, downhill. Return two
things: the list of losses, each from before its step, and the seven weights at the end, in the order above. If you
change the arrays in place (`W -= ...`), the losses are enough.""",
    cases=_batches,
    solution=_train,
    use=_trained,
    rtol=1e-6,
    mistakes=(
        Mistake(
            name="uphill",
            answer=lambda weights, batches, lr: _train(weights, batches, -lr),
            message="The gradient points to where the loss grows: move the weights against it.",
        ),
        Mistake(
            name="forgot 1/N of the mean",
            answer=lambda weights, batches, lr: _train(weights, batches, lr * len(batches[0][0])),
            message="Every step is N times too long: the loss is a mean over the batch, and so is its gradient.",
        ),
        Mistake(
            name="biased variance",
            answer=_slipping(correction=0),
            message="The variance was divided by N. np.var does that unless it is told ddof=1; torch.var does not.",
        ),
        Mistake(
            name="only batch norm's direct path",
            answer=_slipping(direct=True),
            message="What lies behind batch norm gets the gradient as if mean and variance were fixed: see 5.3.",
        ),
        Mistake(
            name="Bessel: N for N - 1",
            answer=_slipping(bessel=False),
            message="Forward the variance is divided by N - 1, so the way back has a factor N/(N - 1): see 5.3.",
        ),
        Mistake(
            name="W2 moved too early",
            answer=_too_early,
            message="The gradient went back through the new W2. Work out all gradients first; then move the weights.",
        ),
        Mistake(
            name="= for += where an index repeats",
            answer=_slipping(add=False),
            message="dC[x] += dvectors keeps only the last of a character's places: np.add.at, or a loop.",
        ),
        Mistake(
            name="forgot to zero the gradient",
            answer=lambda **case: _train(**case, piled=True),
            message="The first step is right, and later ones repeat it: start each batch from zeros.",
        ),
        Mistake(
            name="gain and shift are not trained",
            answer=lambda **case: _train(**case, frozen=("gain", "shift")),
            message="Seven arrays are learnt, and batch norm's two are among them.",
        ),
        Mistake(
            name="the old weights came back",
            answer=lambda weights, batches, lr: (_train(_copied(weights), batches, lr)[0], weights),
            message="The losses are right, the weights those from before: return the new, or change the old in place.",
        ),
    ),
    hints=(
        "One step: forward; 5.2 for dlogits; a product and a bias; tanh; 5.3; a product and a bias; the rows of C.",
        "Variance: x.var(0, ddof=1). dh = dlogits @ W2.T, dscaled = (1 - h**2) * dh, then batch_norm_backward.",
        "dW1 = joined.T @ dsums, db1 = dsums.sum(0), dvectors = (dsums @ W1.T).reshape(N, 3, -1); 2.4 for dC.",
        "Only now: for weight, gradient in zip(weights, gradients): weight -= lr * gradient.",
    ),
    look="the losses beside autograd's in the lesson: from which step on do yours differ?",
)

EXERCISES = (INTERMEDIATES, CROSS_ENTROPY, BATCH_NORM, TRAINING)
