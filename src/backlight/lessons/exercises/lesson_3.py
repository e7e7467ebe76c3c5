"""Lesson 3: a network that beats a bound, initial weights, direct connections, and sampling with a sliding context."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import as_array, counted_names, mean_nats, softmax, windows_of
from backlight.lessons.exercises.outcomes import InvalidAnswer, plain

Logits = Callable[[IntArray], FloatArray]

# -- 3.1: below 2.2 ---------------------------------------------------------------------------------------------------

BOUND = 2.2
TOO_GOOD = 1.85
"""Nats on dev that no model reaches without training on dev: the package's best network is a tenth above."""

READS = 16
"""Characters in each of the contexts."""


@cache
def _examples(part: str) -> tuple[IntArray, IntArray]:
    """Return the contexts (N, 16) and targets (N,) of a part, in random order."""
    x, y = windows_of(part, READS)
    order = np.random.default_rng(31).permutation(len(x))
    return x[order], y[order]


_LOSS = "the loss on dev"
"""The bound for all below it."""


def _dev(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [{"contexts": _examples("dev")[0].copy()}]


def _trial(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return properties of a model that its logits show."""

    def logits_of(contexts: IntArray) -> Any:
        return call(answer, {"contexts": contexts.copy()})

    contexts = case["contexts"]
    given = logits_of(contexts)
    if given is None or given is ...:
        return None
    logits = as_array(given)
    if logits.shape != (len(contexts), 27):
        return {**_trial(next_logits, case), "logits": logits}
    few = contexts[:600]
    last, before = few.copy(), few.copy()
    last[:, -1] = few[:, -1] % 26 + 1
    before[:, -2] = few[:, -2] % 26 + 1
    anything = np.random.default_rng(33).integers(0, 27, few.shape)
    own, alone = as_array(logits_of(few)), as_array(logits_of(few[:300][::-1]))[::-1]
    seen, targets = (rows[:6000] for rows in _examples("train"))
    dev, train = mean_nats(logits, _examples("dev")[1]), mean_nats(as_array(logits_of(seen)), targets)
    return {
        "logits": np.zeros_like(logits),
        "whether all are finite": bool(np.isfinite(logits).all()),
        "whether they are logits, not probabilities": bool((logits < 0).any() or abs(logits.sum(1) - 1).max() > 1e-3),
        "whether each row is independent of the others": np.allclose(alone, own[:300], atol=1e-3),
        "whether the contexts count": not np.allclose(as_array(logits_of(anything)), own, atol=1e-3),
        "whether the last character counts": not np.allclose(as_array(logits_of(last)), own, atol=1e-3),
        "whether it predicts, and does not repeat": float((logits.argmax(1) == contexts[:, -1]).mean()) < 0.5,
        "whether the character before the last counts": not np.allclose(as_array(logits_of(before)), own, atol=1e-3),
        "whether dev is new to it": dev > TOO_GOOD and dev > train - 0.1,
        "whether it generalises to dev": dev < max(BOUND, train + 0.1) or train >= BOUND,
        _LOSS: max(dev, BOUND),
        "whether it is a network, and not counts": not _counted(own),
    }


def _counted(logits: FloatArray) -> bool:
    """Return whether logits repeat a number within most rows, as those of counts do: a network's are all different."""
    ordered = np.sort(logits, 1)
    return bool(((np.diff(ordered, axis=1) < 1e-9).sum(1) > 2).mean() > 0.5)


def next_logits(
    contexts: IntArray, *, part: str = "train", order: int = 5, k: float | None = None, oldest: bool = False
) -> FloatArray:
    """Return the logits of an n-gram model that reads the newest characters, or the oldest."""
    model = counted_names((part,), order=order, smoothing="kneser-ney" if k is None else "add-k", k=k)
    return model.next_logits(contexts[:, : order - 1] if oldest else contexts[:, READS + 1 - order :])


def _repeats(ids: IntArray) -> FloatArray:
    """Return logits that give these ids nearly all of the probability."""
    return 8.0 * np.eye(27)[ids]


BEAT = Exercise(
    cases=_dev,
    solution=next_logits,
    sentences={_LOSS: "Your loss on dev is {ours:.4g} nats per character; it must be below 2.2."},
    use=_trial,
    properties=True,
    mistakes=(
        wrong("the same for every context", lambda contexts: np.zeros((len(contexts), 27)),
              says="Every context gets the same logits. Is the network used at all, or are its weights or logits all "
                   "0?"),
        wrong("a counted n-gram model", order=4, k=0.1,
              says="In most rows several logits are the same number, as in counts with a k added to what never "
                   "occurred. The "
                   "task is to train a network."),
        wrong("evaluated on train", order=6, k=0.001,
              says="The loss is below 2.2 on train but not on dev: the model has overfitted. Choose sizes and steps "
                   "by the loss on dev."),
        wrong("trained on dev", part="train and dev", order=6,
              says="No network is that good on names that it has never seen. Train on train alone: then dev shows "
                   "how it does on other names."),
        wrong("one character only", order=2,
              says="Only the last character makes a difference: that is a bigram model, whose loss stays above 2.4. "
                   "Use a longer context."),
        wrong("a context that contains the target", lambda contexts: _repeats(contexts[:, -1]),
              says="The model predicts that the last character comes again. It was probably trained on contexts that "
                   "contain the target: store the example first, and shift the context afterwards."),
        wrong("the wrong end of the context", order=4, oldest=True,
              says="The nearest character is last, so a network that reads three characters takes contexts[:, -3:]."),
        wrong("a row depends on the other rows", lambda contexts: _repeats(np.roll(contexts[:, -1], -1)),
              says="The logits of a context change with the other contexts in the call. In the order of the text, "
                   "the next row contains the target; and when you sample a name, there are no other rows."),
        wrong("probabilities, not logits", lambda contexts: softmax(next_logits(contexts)),
              says="Every row sums to 1. Return the inputs of softmax: the loss applies softmax again."),
    ),
    hints=(
        "300 hidden units help little if each letter has only two numbers. Where is the bottleneck?",
        "Use vectors of ten numbers instead of two, and 20,000 steps, with the lesson's function trained(...).",
        "A fourth character of context costs little, and helps more than doubling the hidden units.",
        "def next_logits(contexts): return model.next_logits(contexts[:, -model.context :])",
    ),
    look="the two losses of your network, on train and dev: if they are close and high, it is too small or not "
         "trained enough; if they are far apart, it has overfitted.",
)  # fmt: skip


# -- 3.2: a uniform start ---------------------------------------------------------------------------------------------


def _sizes(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [
        {"V": 27, "T": 3, "E": 10, "H": 200, "seed": 1},
        {"V": 27, "T": 8, "E": 6, "H": 100, "seed": 2},
        {"V": 90, "T": 4, "E": 16, "H": 150, "seed": 3},
    ]


_NAMES = ("C", "W1", "b1", "W2", "b2")


def _start(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return properties of initial weights, before and after a first backward pass."""
    weights = call(answer, case)
    if isinstance(weights, Mapping):
        weights = [weights[name] for name in _NAMES if name in weights]
    if weights is None or any(one is None for one in weights):
        return None
    weights = [as_array(one) for one in weights]
    V, T, E, H = (case[name] for name in "VTEH")
    shapes = {f"the shape of {name}": one.shape for name, one in zip(_NAMES, weights, strict=False)}
    if list(shapes.values()) != [(V, E), (T * E, H), (H,), (H, V), (V,)]:
        return {**_start(even_start, case), "how many arrays there are": len(weights), **shapes}
    C, W1, b1, W2, b2 = weights
    rng = np.random.default_rng(32)
    X, Y = rng.integers(0, V, (400, T)), rng.integers(0, V, 400)
    x = C[X].reshape(len(X), -1)
    h = np.tanh(x @ W1 + b1)
    logits = h @ W2 + b2
    dlogits = (softmax(logits) - np.eye(V)[Y]) / len(Y)
    dW1 = x.T @ (dlogits @ W2.T * (1 - h**2))
    return {
        "how many arrays there are": 5,
        **shapes,
        "whether the hidden units depend on the context": bool(h.std(0).mean() > 0.02),
        "whether b1 leaves most tanhs within 0.99": bool((np.abs(np.tanh(b1)) < 0.99).mean() >= 0.75),
        "whether no two hidden units are the same": len(np.unique(h.round(6), axis=1).T) == H,
        "whether three quarters of the tanhs are within 0.99": bool((np.abs(h) < 0.99).mean() >= 0.75),
        "whether b2 prefers no character": bool(b2.std() < 0.05),
        "whether a gradient reaches W1": bool(np.abs(dW1).max() > 1e-9),
        "whether the logits spread by less than 1.5": bool(logits.std(1).mean() < 1.5),
        "whether the first loss is within 0.05 of ln V": abs(mean_nats(logits, Y) - np.log(V)) < 0.05,
    }


def even_start(
    V: int, T: int, E: int, H: int, seed: int, *, of_W1: float | None = None, of_W2: float = 0.01, of_b2: float = 0.0,
    of_b1: float = 0.0, flat: float | None = None,
) -> list[FloatArray]:  # fmt: skip
    rng = np.random.default_rng(seed)
    W1 = rng.normal(size=(T * E, H)) * ((T * E) ** -0.5 if of_W1 is None else of_W1)
    W2 = rng.normal(size=(H, V)) * of_W2
    if flat is not None:
        W1, W2 = np.full_like(W1, flat), np.full_like(W2, flat)
    C, b2 = rng.normal(size=(V, E)), rng.normal(size=V) * of_b2
    return [C, W1, rng.normal(size=H) * of_b1, W2, b2]


UNIFORM = Exercise(
    cases=_sizes,
    solution=even_start,
    use=_start,
    properties=True,
    mistakes=(
        wrong("1 / sqrt(fan-in) for the last layer, too", lambda **case: even_start(**case, of_W2=case["H"] ** -0.5),
              says="That keeps the logits about as large as the inputs, so the first predictions are far from "
                   "uniform. The last layer should start smaller."),
        wrong("W2 is not scaled", of_W2=1.0,
              says="Each logit is a sum of H products of numbers around 1. The logits are far apart, so the network "
                   "makes confident predictions before any training. Make W2 small."),
        wrong("W2 is all zero", of_W2=0.0,
              says="Then the loss is ln V, but the gradient of the hidden units is multiplied by W2, so it is 0. "
                   "Make W2 small, but not 0."),
        wrong("b2 is not scaled", of_b2=1.0,
              says="b2 adds the same random preferences to the logits in every context. It can start at 0."),
        wrong("b1 is too large", of_b1=10.0,
              says="b1 alone pushes the sums far from 0, where tanh is flat. It can start at 0."),
        wrong("W1 is too large", of_W1=1.0,
              says="Each hidden unit sums T * E products, so the sums are far from 0 and tanh is near 1 or -1, where "
                   "its slope is 0. Divide W1 by the square root of T * E."),
        wrong("all weights the same", flat=0.01,
              says="Units with the same weights get the same gradient and stay identical: H units act as one. Draw "
                   "the weights at random."),
        wrong("hidden units that are always 0", of_W1=0.0,
              says="If W1 (or C) is 0, the hidden units do not depend on the context, and all of them are the same."),
    ),
    hints=(
        "Equal probabilities come from equal logits, h @ W2 + b2. For which W2 and b2 are they nearly equal?",
        "Near 0, but not 0: torch.randn((H, V)) * 0.01. b1 and b2 may be 0.",
        "For the hidden units: a sum of T * E products of numbers around 1 has size sqrt(T * E). Divide W1 by that.",
    ),
    look="the first loss compared with ln V, and the share of h beyond 0.99: (h.abs() > 0.99).float().mean().",
)  # fmt: skip


# -- 3.3: direct connections ------------------------------------------------------------------------------------------


def _networks(rng: np.random.Generator) -> list[dict[str, Any]]:
    def case(N: int, T: int, E: int) -> dict[str, Any]:
        V = T * E  # all matrices are square, so that a transposed one gives wrong numbers and not an error
        sizes = {"C": (V, E), "H": (V, V), "d": (V,), "U": (V, V), "W": (V, V), "b": (V,)}
        return {"X": rng.integers(0, V, (N, T)), **{name: rng.normal(0, 0.7, size) for name, size in sizes.items()}}

    return [case(5, 3, 2), case(1, 2, 4), case(6, 6, 2)]


def _joined(X: IntArray, C: FloatArray) -> FloatArray:
    return C[X].reshape(len(X), -1)


def logits_with_direct(
    X: IntArray, C: FloatArray, H: FloatArray, d: FloatArray, U: FloatArray, W: FloatArray, b: FloatArray, *,
    join: Callable[[IntArray, FloatArray], FloatArray] = _joined,
    hidden: Callable[[FloatArray, FloatArray], FloatArray] = lambda d, sums: np.tanh(d + sums),
    direct: float = 1.0, both: bool = False,
) -> FloatArray:  # fmt: skip
    x = join(X, C)
    h = hidden(d, x @ H)
    logits: FloatArray = np.tanh(b + x @ W + h @ U) if both else b + direct * (x @ W) + h @ U
    return logits


DIRECT = Exercise(
    cases=_networks,
    solution=logits_with_direct,
    mistakes=(
        wrong("no direct connection", direct=0.0,
              says="That is the network of the lesson. Here x also reaches the logits directly, by its own matrix W."),
        wrong("no tanh", hidden=lambda d, sums: d + sums,
              says="Without tanh the two paths form a single linear layer, x @ (W + H @ U)."),
        wrong("tanh around everything", both=True,
              says="Apply tanh only to the hidden units. Logits may be any numbers."),
        wrong("forgot d", hidden=lambda d, sums: np.tanh(sums),
              says="Each hidden unit has a bias of its own, inside the tanh."),
        wrong("d outside the tanh", hidden=lambda d, sums: np.tanh(sums) + d,
              says="d is added to the input of tanh, not to its output."),
        wrong("joined by axes, not by characters", join=lambda X, C: C[X].transpose(0, 2, 1).reshape(len(X), -1),
              says="Your x has the first numbers of all characters, then the second ones. It should have the whole "
                   "vector of the first character, then that of the second: C[X].reshape(N, T * E)."),
        wrong("the context reversed", join=lambda X, C: _joined(X[:, ::-1], C),
              says="Join the vectors in the order of the characters in X."),
        wrong("rows of the batch are mixed", join=lambda X, C: C[X].transpose(1, 0, 2).reshape(len(X), -1),
              says="Each row of x must hold the vectors of a single context. You swapped axes before the reshape, so "
                   "a row holds numbers of several contexts."),
        wrong("transposed product",
              lambda **case: logits_with_direct(**{**case, **{name: case[name].T for name in "HUW"}}),
              says="In the paper x is a column, and matrices are on its left. Here x is a row: x @ W, with W not "
                   "transposed."),
        wrong("d and b are swapped", lambda **case: logits_with_direct(**{**case, "d": case["b"], "b": case["d"]}),
              says="d is added to the hidden units, inside the tanh; b is added to the logits."),
    ),
    hints=(
        "C[X] has shape (N, T, E). x = C[X].reshape(len(X), -1) joins the vectors of each context into one row.",
        "The hidden layer is np.tanh(d + x @ H), as in the lesson.",
        "b + x @ W + np.tanh(d + x @ H) @ U",
    ),
    look="equation 1 of the paper, and the shapes of x, of h and of the three terms that are added: all are (N, V).",
)  # fmt: skip


# -- 3.4: names from a sliding context --------------------------------------------------------------------------------


def _writers(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [_writer(rng, V=6, block_size=3, count=5), _writer(rng, V=9, block_size=2, count=8)]


def _writer(rng: np.random.Generator, *, V: int, block_size: int, count: int) -> dict[str, Any]:
    weights = rng.normal(0, 0.8, (block_size, V, V))
    numbers = iter(rng.random(5000).tolist())
    asked = iter(range(1000))

    def next_logits(contexts: Any) -> FloatArray:
        if next(asked, None) is None:
            raise RuntimeError("1,000 letters were drawn and the names did not end: a drawn 0 must end a name.")
        ids = as_array(contexts).astype(int)
        logits: FloatArray = np.sum([weights[place][ids[:, place]] for place in range(block_size)], axis=0)
        logits[:, 0] += 4.5 * (ids > 0).mean(1) - 1.5  # the fuller the context, the likelier the end
        return logits

    def draw(probs: Any) -> int:
        places = np.cumsum(as_array(probs).reshape(-1))
        return min(int(np.searchsorted(places, next(numbers))), V - 1)

    return {"next_logits": next_logits, "draw": draw, "block_size": block_size, "count": count}


def _written(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return how many names were written, and all their ids, each name followed by -1."""
    names = call(answer, case)
    if names is None:
        return None
    if any(isinstance(name, str) for name in names):
        raise InvalidAnswer("each name should be a list of ids, which are numbers; this is text.")
    rows = [[int(plain(id_)) for id_ in name] for name in names]
    return {
        "how many names there are": len(rows),
        "how many of them hold a 0": sum(0 in row for row in rows),
        "the first name": rows[0] if rows else [],
        "all names, with -1 after each": [id_ for row in rows for id_ in (*row, -1)],
    }


def _slide(context: list[int], drawn: int) -> list[int]:
    return [*context[1:], drawn]


def write_names(
    next_logits: Logits, draw: Callable[[FloatArray], int], block_size: int, count: int, *,
    slide: Callable[[list[int], int], list[int]] = _slide, kept: bool = False, anew: bool = True,
    probabilities: Callable[[FloatArray], FloatArray] = softmax,
    choose: Callable[..., int] = lambda draw, probs: draw(probs),
) -> list[list[int]]:  # fmt: skip
    names: list[list[int]] = []
    context = [0] * block_size
    for _ in range(count):
        name: list[int] = []
        context = [0] * block_size if anew else context
        while len(name) < 500:
            drawn = choose(draw, probabilities(next_logits(np.array([context]))[0]))
            name += [drawn] if drawn or kept else []
            context = slide(context, drawn)
            if drawn == 0:
                break
        names.append(name)
    return names


WRITE = Exercise(
    cases=_writers,
    solution=write_names,
    use=_written,
    mistakes=(
        wrong("the end is kept", kept=True, says="The 0 marks the end of the name and is not part of it. Test for it "
                                                 "before you append."),
        wrong("the window does not move", slide=lambda context, drawn: context,
              says="Every letter is drawn as if it were the first: the context stays all zeros."),
        wrong("the window moves the wrong way", slide=lambda context, drawn: [drawn, *context[:-1]],
              says="The nearest letter is last: append the drawn id on the right, and drop the one on the left."),
        wrong("only the last position changes", slide=lambda context, drawn: [*context[:-1], drawn],
              says="The new letter replaced the previous one, and the others did not move. Shift all of them to the "
                   "left."),
        wrong("the context is not reset", anew=False,
              says="The second name starts with the last letters of the first as its context. Each name must start "
                   "with zeros."),
        wrong("always the most likely", choose=lambda draw, probs: int(np.argmax(probs)),
              says="If you always take the most likely letter, every name is the same. Draw at random."),
        wrong("not divided by the sum", probabilities=np.exp,
              says="The exponentials of the logits are counts. Divide them by their sum to get probabilities."),
        wrong("no softmax", probabilities=lambda logits: logits,
              says="Logits are not probabilities: they may be negative, and do not sum to 1."),
    ),
    hints=(
        "Use two loops: one over the names, and inside it one that runs until a 0 is drawn.",
        "In the inner loop: logits = next_logits(np.array([context]))[0]; then softmax, as in lesson 2; then draw.",
        "if drawn == 0: break. Otherwise name.append(drawn) and context = [*context[1:], drawn].",
        "Both name = [] and context = [0] * block_size belong in the outer loop.",
    ),
    look="your context after each step: print it for one name. Each row is the row above, shifted by one.",
)  # fmt: skip

EXERCISES = (BEAT, UNIFORM, DIRECT, WRITE)
