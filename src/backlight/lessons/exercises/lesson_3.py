"""Lesson 3: a network that beats a bound, first weights, direct connections, and names drawn from a window."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Case, Exercise, Mistake, call
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus

Logits = Callable[[IntArray], FloatArray]


def _numbers(answer: Any) -> FloatArray:
    """Return tensors of any kind and lists as an array."""
    return np.asarray(answer.detach() if hasattr(answer, "detach") else answer, np.float64)


def _softmax(logits: FloatArray) -> FloatArray:
    counts = np.exp(logits - logits.max(-1, keepdims=True))
    probs: FloatArray = counts / counts.sum(-1, keepdims=True)
    return probs


def _mean_nats(logits: FloatArray, y: IntArray) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(y)), y]).mean())


# -- 3.1: below 2.2 ---------------------------------------------------------------------------------------------------

BOUND = 2.2
TOO_GOOD = 1.85
"""Nats on dev that nothing reaches which has not seen it: the package's best network stands a tenth above."""

READS = 16
"""Characters in each of the contexts."""


@cache
def _examples(part: str) -> tuple[IntArray, IntArray]:
    """Return the contexts (N, 16) and targets (N,) of a part, in an order that tells nothing."""
    windows = Windows(_encoded()[part], READS)
    batch = windows.batch(np.random.default_rng(31).permutation(len(windows)))
    return batch.x, batch.y


@cache
def _encoded() -> dict[str, Any]:
    corpus = load_corpus("names")
    parts = split_corpus(corpus, seed=42)
    vocabulary = Vocabulary.of(corpus.items)
    return {
        "train": vocabulary.encode_items(parts.train.items),
        "dev": vocabulary.encode_items(parts.dev.items),
        "train and dev": vocabulary.encode_items([*parts.train.items, *parts.dev.items]),
    }


def _dev(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [{"contexts": _examples("dev")[0].copy()}]


def _trial(answer: Callable[..., Any], case: Case) -> Any:
    """Return what is true of a model, from its outside."""

    def logits_of(contexts: IntArray) -> Any:
        return call(answer, {"contexts": contexts.copy()})

    contexts = case["contexts"]
    given = logits_of(contexts)
    if given is None or given is ...:
        return None
    logits = _numbers(given)
    if logits.shape != (len(contexts), 27):
        return {**_trial(_by_counts("train", 5), case), "logits": logits}
    few = contexts[:600]
    last, before = few.copy(), few.copy()
    last[:, -1] = few[:, -1] % 26 + 1
    before[:, -2] = few[:, -2] % 26 + 1
    own, alone = _numbers(logits_of(few)), _numbers(logits_of(few[:300][::-1]))[::-1]
    seen, targets = (rows[:6000] for rows in _examples("train"))
    dev, train = _mean_nats(logits, _examples("dev")[1]), _mean_nats(_numbers(logits_of(seen)), targets)
    return {
        "logits": np.zeros_like(logits),
        "whether all are finite": bool(np.isfinite(logits).all()),
        "whether they are logits, not probabilities": bool((logits < 0).any() or abs(logits.sum(1) - 1).max() > 1e-3),
        "whether each row stands alone": np.allclose(alone, own[:300], atol=1e-3),
        "whether the last character counts": not np.allclose(_numbers(logits_of(last)), own, atol=1e-3),
        "whether it guesses, and does not repeat": float((logits.argmax(1) == contexts[:, -1]).mean()) < 0.5,
        "whether the character before the last counts": not np.allclose(_numbers(logits_of(before)), own, atol=1e-3),
        "whether dev is new to it": dev > TOO_GOOD and dev > train - 0.1,
        "whether what is learnt holds on dev": dev < max(BOUND, train + 0.1) or train >= BOUND,
        "the loss on dev (2.2 for all below)": max(dev, BOUND),
    }


@cache
def _counted(part: str, order: int, k: float | None = None) -> NGram:
    smoothing: Any = "kneser-ney" if k is None else "add-k"
    return NGram(NGramConfig(vocabulary_size=27, order=order, smoothing=smoothing, k=k)).fit(_encoded()[part])


def _by_counts(part: str, order: int, k: float | None = None, *, oldest: bool = False) -> Logits:
    """Return the logits of an n-gram model; it is fitted when it is first asked."""

    def logits_of(contexts: IntArray) -> FloatArray:
        read = contexts[:, : order - 1] if oldest else contexts[:, READS + 1 - order :]
        return _counted(part, order, k).next_logits(read)

    return logits_of


def _repeats(ids: IntArray) -> FloatArray:
    """Return logits that are sure of these ids."""
    return 8.0 * np.eye(27)[ids]


BEAT = Exercise(
    id="3.1",
    title="Beat 2.2",
    answer="next_logits",
    task="""\
Train a network on `train`, whatever its sizes, its learning rate and its number of steps, until its loss on `dev` is
below 2.2 nats per character. Then write `next_logits(contexts)`, by which it is judged. `contexts` is an array (N, 16)
of ids: the characters before the one that is to be guessed, the nearest one last, and zeros where a name has not begun.
Take as many as your network reads: the last three are `contexts[:, -3:]`. Return the logits, (N, 27). The check asks
for all contexts of `dev` (`split_corpus(corpus, seed=42)`), mixed.""",
    cases=_dev,
    solution=_by_counts("train", 5),
    use=_trial,
    mistakes=(
        Mistake(
            name="judged on train",
            answer=_by_counts("train", 6, 0.001),
            message="On train it is below 2.2, and on dev it is not: it has learnt by heart. Choose sizes and steps by "
            "the loss on dev.",
        ),
        Mistake(
            name="dev was learnt",
            answer=_by_counts("train and dev", 6),
            message="No network is that good on names that it has never seen. Train on train alone: dev then tells how "
            "it does on others.",
        ),
        Mistake(
            name="one character only",
            answer=_by_counts("train", 2),
            message="Only the last character makes a difference: that is a bigram model, and a bigram stays above 2.4. "
            "Look further back.",
        ),
        Mistake(
            name="a context that contains the target",
            answer=lambda contexts: _repeats(contexts[:, -1]),
            message="It says again what it was given last. It was trained on contexts that held the target already: "
            "the context is what stands before, and moves on only after the example is noted.",
        ),
        Mistake(
            name="the wrong end of the context",
            answer=_by_counts("train", 4, oldest=True),
            message="The nearest character stands last, so a network that reads three takes contexts[:, -3:].",
        ),
        Mistake(
            name="a row looks at its neighbours",
            answer=lambda contexts: _repeats(np.roll(contexts[:, -1], -1)),
            message="A context's logits change with the other contexts it is asked with. In a text's own order the row "
            "below holds the target; and nobody who writes a name has other rows.",
        ),
        Mistake(
            name="probabilities, not logits",
            answer=lambda contexts: _softmax(_by_counts("train", 5)(contexts)),
            message="Every row sums to 1. Return what goes into softmax: the loss takes it again.",
        ),
    ),
    hints=(
        "300 hidden units help little where a letter is two numbers. Where is the bottleneck?",
        "Vectors of ten numbers instead of two, and 20,000 steps, with the lesson's function trained(...).",
        "A fourth character of context costs little, and helps more than twice as many hidden units.",
        "def next_logits(contexts): return model.next_logits(contexts[:, -model.context :])",
    ),
    look="the two losses of your network, train and dev: near each other and high, it is too small or not yet trained; "
    "far from each other, it has learnt by heart.",
)


# -- 3.2: a uniform start ---------------------------------------------------------------------------------------------


def _sizes(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [
        {"V": 27, "T": 3, "E": 10, "H": 200, "seed": 1},
        {"V": 27, "T": 8, "E": 6, "H": 100, "seed": 2},
        {"V": 90, "T": 4, "E": 16, "H": 150, "seed": 3},
    ]


_NAMES = ("C", "W1", "b1", "W2", "b2")


def _start(answer: Callable[..., Any], case: Case) -> Any:
    """Return what is true of first weights, before and after a first walk back."""
    weights = call(answer, case)
    if weights is None or any(one is None for one in weights):
        return None
    weights = [_numbers(one) for one in weights]
    V, T, E, H = (case[name] for name in "VTEH")
    shapes = {f"the shape of {name}": one.shape for name, one in zip(_NAMES, weights, strict=False)}
    if list(shapes.values()) != [(V, E), (T * E, H), (H,), (H, V), (V,)]:
        return {**_start(_first, case), "how many arrays there are": len(weights), **shapes}
    C, W1, b1, W2, b2 = weights
    rng = np.random.default_rng(32)
    X, Y = rng.integers(0, V, (400, T)), rng.integers(0, V, 400)
    x = C[X].reshape(len(X), -1)
    h = np.tanh(x @ W1 + b1)
    logits = h @ W2 + b2
    dlogits = (_softmax(logits) - np.eye(V)[Y]) / len(Y)
    dW1 = x.T @ (dlogits @ W2.T * (1 - h**2))
    return {
        "how many arrays there are": 5,
        **shapes,
        "whether the hidden units answer to the context": bool(h.std(0).mean() > 0.02),
        "whether no two hidden units are the same": len(np.unique(h.round(6), axis=1).T) == H,
        "whether three quarters of the tanhs are within 0.99": bool((np.abs(h) < 0.99).mean() >= 0.75),
        "whether b2 prefers no character": bool(b2.std() < 0.05),
        "whether a gradient reaches W1": bool(np.abs(dW1).max() > 1e-9),
        "whether the logits spread by less than 1.5": bool(logits.std(1).mean() < 1.5),
        "whether the first loss is within 0.05 of ln V": abs(_mean_nats(logits, Y) - np.log(V)) < 0.05,
    }


def _first(
    V: int, T: int, E: int, H: int, seed: int, *, of_W1: float | None = None, of_W2: float = 0.01, of_b2: float = 0.0,
    flat: float | None = None,
) -> list[FloatArray]:  # fmt: skip
    rng = np.random.default_rng(seed)
    W1 = rng.normal(size=(T * E, H)) * ((T * E) ** -0.5 if of_W1 is None else of_W1)
    W2 = rng.normal(size=(H, V)) * of_W2
    if flat is not None:
        W1, W2 = np.full_like(W1, flat), np.full_like(W2, flat)
    return [rng.normal(size=(V, E)), W1, np.zeros(H), W2, rng.normal(size=V) * of_b2]


UNIFORM = Exercise(
    id="3.2",
    title="A uniform start",
    answer="even_start",
    task="""\
Write `even_start(V, T, E, H, seed)`: the first weights of a network of V characters, contexts of T, vectors of E
numbers and H hidden units. Return C (V, E), W1 (T * E, H), b1 (H,), W2 (H, V) and b2 (V,), arrays or tensors, so that

- the first loss is within 0.05 of ln V, whatever the targets;
- no two hidden units are the same, and at most a quarter of their outputs is beyond ±0.99, where tanh is flat;
- a gradient reaches W1 in the first step.""",
    cases=_sizes,
    solution=_first,
    use=_start,
    mistakes=(
        Mistake(
            name="1 / sqrt(fan-in) for the last layer, too",
            answer=lambda **case: _first(**case, of_W2=case["H"] ** -0.5),
            message="That keeps the logits about as large as what comes in, and logits of that size are opinions. The "
            "last layer should have none at first: smaller.",
        ),
        Mistake(
            name="W2 as it was drawn",
            answer=lambda **case: _first(**case, of_W2=1.0),
            message="Each logit is a sum of H products of numbers about 1: they are far apart, so the network is sure "
            "of something before it has seen anything. Make W2 small.",
        ),
        Mistake(
            name="W2 is all zero",
            answer=lambda **case: _first(**case, of_W2=0.0),
            message="Then the loss is ln V, but the gradient goes back to the hidden units by way of W2, and stops "
            "there. Small, and not 0.",
        ),
        Mistake(
            name="b2 as it was drawn",
            answer=lambda **case: _first(**case, of_b2=1.0),
            message="Whatever the context, b2 adds its own opinion to the logits. It can begin at 0.",
        ),
        Mistake(
            name="W1 is too large",
            answer=lambda **case: _first(**case, of_W1=1.0),
            message="Each hidden unit sums T * E products, so the sums are far from 0 and their tanhs near 1 or -1, "
            "where the slope is 0. Divide W1 by the square root of T * E.",
        ),
        Mistake(
            name="all weights the same",
            answer=lambda **case: _first(**case, flat=0.01),
            message="Units with the same weights get the same gradient, and stay the same for ever: H units that are "
            "one. Draw them by chance.",
        ),
        Mistake(
            name="hidden units that are always 0",
            answer=lambda **case: _first(**case, of_W1=0.0),
            message="With W1 (or C) 0, nothing of the context gets to the hidden units, and no unit differs from "
            "another.",
        ),
    ),
    hints=(
        "Equal probabilities come from equal logits, h @ W2 + b2. For which W2 and b2 are they nearly equal?",
        "Near 0, but not 0: torch.randn((H, V)) * 0.01. b1 and b2 may be 0.",
        "For the hidden units: a sum of T * E products of numbers about 1 is about sqrt(T * E). Divide W1 by that.",
    ),
    look="the first loss beside ln V, and the share of h beyond 0.99: (h.abs() > 0.99).float().mean().",
)


# -- 3.3: direct connections ------------------------------------------------------------------------------------------


def _networks(rng: np.random.Generator) -> list[dict[str, Any]]:
    def case(N: int, T: int, E: int) -> dict[str, Any]:
        V = T * E  # all matrices are square: a transposed one then is a wrong number, and can be told
        sizes = {"C": (V, E), "H": (V, V), "d": (V,), "U": (V, V), "W": (V, V), "b": (V,)}
        return {"X": rng.integers(0, V, (N, T)), **{name: rng.normal(0, 0.7, size) for name, size in sizes.items()}}

    return [case(5, 3, 2), case(1, 2, 4), case(6, 6, 2)]


def _joined(X: IntArray, C: FloatArray) -> FloatArray:
    return C[X].reshape(len(X), -1)


def _direct(
    X: IntArray, C: FloatArray, H: FloatArray, d: FloatArray, U: FloatArray, W: FloatArray, b: FloatArray, *,
    join: Callable[[IntArray, FloatArray], FloatArray] = _joined, squash: Callable[[Any], Any] = np.tanh,
    direct: float = 1.0, both: bool = False,
) -> FloatArray:  # fmt: skip
    x = join(X, C)
    h = squash(d + x @ H)
    logits: FloatArray = np.tanh(b + x @ W + h @ U) if both else b + direct * (x @ W) + h @ U
    return logits


DIRECT = Exercise(
    id="3.3",
    title="Direct connections",
    answer="logits_with_direct",
    task="""\
Equation 1 of Bengio et al. (2003) is y = b + W x + U tanh(d + H x): the vectors reach the logits through the hidden
layer and past it. Here a context is a row, so each matrix stands on the right. Write
`logits_with_direct(X, C, H, d, U, W, b)`, in NumPy: `X` are the contexts (N, T), whole numbers; `C` (V, E); `H`
(T * E, h); `d` (h,); `U` (h, V); `W` (T * E, V); `b` (V,). x joins a context's vectors to one row. Return y,
(N, V).""",
    cases=_networks,
    solution=_direct,
    mistakes=(
        Mistake(
            name="no direct connection",
            answer=lambda **case: _direct(**case, direct=0.0),
            message="That is the network of the lesson. Here x also goes to the logits by a matrix of its own, W.",
        ),
        Mistake(
            name="no tanh",
            answer=lambda **case: _direct(**case, squash=lambda sums: sums),
            message="Without tanh the two ways are one linear layer, x @ (W + H @ U).",
        ),
        Mistake(
            name="tanh around everything",
            answer=lambda **case: _direct(**case, both=True),
            message="Only what goes through the hidden units is squashed. Logits may be any numbers.",
        ),
        Mistake(
            name="forgot d",
            answer=lambda **case: _direct(**{**case, "d": 0 * case["d"]}),
            message="Each hidden unit has a bias of its own, inside the tanh.",
        ),
        Mistake(
            name="d outside the tanh",
            answer=lambda **case: _direct(
                **{**case, "d": 0 * case["d"]}, squash=lambda sums: np.tanh(sums) + case["d"]
            ),
            message="d shifts what goes into tanh, not what comes out of it.",
        ),
        Mistake(
            name="joined by axes, not by characters",
            answer=lambda **case: _direct(**case, join=lambda X, C: C[X].transpose(0, 2, 1).reshape(len(X), -1)),
            message="x has the first numbers of all characters, then the second ones. It should have the first "
            "character's whole vector, then the second's: C[X].reshape(N, T * E).",
        ),
        Mistake(
            name="the context back to front",
            answer=lambda **case: _direct(**case, join=lambda X, C: _joined(X[:, ::-1], C)),
            message="The vectors are joined in the order in which X has the characters.",
        ),
        Mistake(
            name="rows of the batch are mixed",
            answer=lambda **case: _direct(**case, join=lambda X, C: C[X].transpose(1, 0, 2).reshape(len(X), -1)),
            message="A row of x must hold the vectors of one context. Reshaped after its axes were swapped, it holds "
            "numbers of several.",
        ),
        Mistake(
            name="transposed product",
            answer=lambda **case: _direct(**{**case, **{name: case[name].T for name in "HUW"}}),
            message="The paper's x is a column, with matrices to its left. Here x is a row: x @ W, with W as it is.",
        ),
        Mistake(
            name="d and b changed places",
            answer=lambda **case: _direct(**{**case, "d": case["b"], "b": case["d"]}),
            message="d belongs to the hidden units, inside the tanh; b to the logits.",
        ),
    ),
    hints=(
        "C[X] has shape (N, T, E). x = C[X].reshape(len(X), -1) joins each context's vectors to one row.",
        "The hidden layer is np.tanh(d + x @ H), as in the lesson.",
        "b + x @ W + np.tanh(d + x @ H) @ U",
    ),
    look="equation 1 of the paper, and the shapes of your x, of h and of what is added: all logits are (N, V).",
)


# -- 3.4: names from a window -----------------------------------------------------------------------------------------


def _writers(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [_writer(rng, V=6, block_size=3, count=5), _writer(rng, V=9, block_size=2, count=8)]


def _writer(rng: np.random.Generator, *, V: int, block_size: int, count: int) -> dict[str, Any]:
    weights = rng.normal(0, 0.8, (block_size, V, V))
    numbers = iter(rng.random(5000).tolist())
    asked = iter(range(5000))

    def next_logits(contexts: Any) -> FloatArray:
        if next(asked, None) is None:
            raise RuntimeError("5,000 letters, and the names do not end: a drawn 0 should end one.")
        ids = _numbers(contexts).astype(int)
        logits: FloatArray = np.sum([weights[place][ids[:, place]] for place in range(block_size)], axis=0)
        logits[:, 0] += 4.5 * (ids > 0).mean(1) - 1.5  # the fuller the window, the nearer the end
        return logits

    def draw(probs: Any) -> int:
        places = np.cumsum(_numbers(probs).reshape(-1))
        return min(int(np.searchsorted(places, next(numbers))), V - 1)

    return {"next_logits": next_logits, "draw": draw, "block_size": block_size, "count": count}


def _written(answer: Callable[..., Any], case: Case) -> Any:
    """Return how many names were written, and all their ids in a row, each name followed by -1."""
    names = call(answer, case)
    if names is None:
        return None
    rows = [[int(id_) for id_ in name] for name in names]
    return {
        "how many names there are": len(rows),
        "how many of them hold a 0": sum(0 in row for row in rows),
        "the first name": rows[0] if rows else [],
        "all names, with -1 after each": [id_ for row in rows for id_ in (*row, -1)],
    }


def _slide(context: list[int], drawn: int) -> list[int]:
    return [*context[1:], drawn]


def _write(
    next_logits: Logits, draw: Callable[[FloatArray], int], block_size: int, count: int, *,
    slide: Callable[[list[int], int], list[int]] = _slide, kept: bool = False, anew: bool = True,
    probabilities: Callable[[FloatArray], FloatArray] = _softmax,
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
    id="3.4",
    title="Names from a window",
    answer="write_names",
    task="""\
Write `write_names(next_logits, draw, block_size, count)`. `next_logits(contexts)` takes contexts (1, block_size) and
returns logits (1, V), an array; `draw(probs)` takes V probabilities and returns an id, by chance. Begin each name with
a context of zeros. Draw an id from the softmax of the logits; it joins the name and becomes the last of the context,
whose first leaves. A drawn 0 ends the name and is not part of it. Draw once for each letter and once for each end.
Return the `count` names, each a list of ids.""",
    cases=_writers,
    solution=_write,
    use=_written,
    mistakes=(
        Mistake(
            name="the end is kept",
            answer=lambda **case: _write(**case, kept=True),
            message="The 0 says that the name is over. Look at it before you add it.",
        ),
        Mistake(
            name="the window does not move",
            answer=lambda **case: _write(**case, slide=lambda context, drawn: context),
            message="Every letter is drawn as if it were the first: the context is still all zeros.",
        ),
        Mistake(
            name="the window moves the wrong way",
            answer=lambda **case: _write(**case, slide=lambda context, drawn: [drawn, *context[:-1]]),
            message="The nearest letter stands last: what was drawn joins on the right, and the left one leaves.",
        ),
        Mistake(
            name="only the last place changes",
            answer=lambda **case: _write(**case, slide=lambda context, drawn: [*context[:-1], drawn]),
            message="The new letter took the place of the one before it, and all others stand still. All move left.",
        ),
        Mistake(
            name="the context is not begun anew",
            answer=lambda **case: _write(**case, anew=False),
            message="The second name begins with the first one's last letters before it: each begins with zeros.",
        ),
        Mistake(
            name="the most likely, always",
            answer=lambda **case: _write(**case, choose=lambda draw, probs: int(np.argmax(probs))),
            message="Whoever takes the most likely letter each time writes one name again and again. Draw.",
        ),
        Mistake(
            name="not divided by the sum",
            answer=lambda **case: _write(**case, probabilities=np.exp),
            message="e to the logits are counts. They become probabilities when they are divided by their sum.",
        ),
        Mistake(
            name="no softmax",
            answer=lambda **case: _write(**case, probabilities=lambda logits: logits),
            message="Logits are not probabilities: they may be below 0, and do not sum to 1.",
        ),
    ),
    hints=(
        "Two loops: one over the names, and inside it one that goes on until a 0 is drawn.",
        "In the inner one: logits = next_logits(np.array([context]))[0]; then softmax, as in lesson 2; then draw.",
        "if drawn == 0: break. Otherwise name.append(drawn) and context = [*context[1:], drawn].",
        "Both name = [] and context = [0] * block_size stand in the outer loop.",
    ),
    look="your context after each step: print it for one name. Every row is the one above, moved on by one.",
)

EXERCISES = (BEAT, UNIFORM, DIRECT, WRITE)
