"""Lesson 6: a tree as dilated convolutions, a model below 2.00, batch norm over positions, neighbours joined."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Case, Exercise, Mistake, call
from backlight.lessons.pretrained import load_pretrained
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus

Levels = Sequence[tuple[FloatArray, FloatArray]]


# -- 6.1: the tree at every position ----------------------------------------------------------------------------------


def _trees(rng: np.random.Generator) -> list[dict[str, Any]]:
    def tree(characters: int, embedding: int, hidden: int, levels: int) -> dict[str, Any]:
        fan_ins = [2 * embedding] + [2 * hidden] * (levels - 1)
        return {
            "vectors": rng.normal(size=(characters, embedding)),
            "edge": rng.normal(size=embedding),
            "levels": [
                (rng.normal(size=(fan_in, hidden)) / np.sqrt(fan_in), rng.normal(0, 0.5, hidden)) for fan_in in fan_ins
            ],
        }

    return [tree(11, 3, 4, 3), tree(6, 2, 5, 2), tree(5, 4, 3, 4)]


def _by_two(level: int) -> int:
    return 1 << level


def _everywhere(
    vectors: FloatArray, edge: FloatArray, levels: Levels, *, dilation: Callable[[int], int] = _by_two,
    swapped: bool = False, padding: str = "edges", more: int = 0, bias: float = 1.0,
    squash: Callable[[Any], Any] = np.tanh,
) -> FloatArray:  # fmt: skip
    """Return what the tree gives at every position, or what a slip makes of it."""
    steps = [dilation(level) for level in range(len(levels))]
    in_front = {"edges": sum(steps) + more, "one edge": 1}.get(padding, 0)
    h = np.concatenate([np.tile(edge, (in_front, 1)), vectors])
    for step, (W, b) in zip(steps, levels, strict=True):
        left, right = np.split(W, 2)[:: -1 if swapped else 1]
        if padding == "zeros":
            h = np.concatenate([np.zeros((step, h.shape[1])), h])
        h = squash(h[:-step] @ left + h[step:] @ right + bias * b)
    return h


def _ahead(vectors: FloatArray, edge: FloatArray, levels: Levels, *, swapped: bool) -> FloatArray:
    """Return the tree of the window that begins with each character."""
    length = len(vectors)
    more = np.concatenate([vectors, np.tile(edge, (2 ** len(levels) - 1, 1))])
    return _everywhere(more, edge, levels, padding="none", swapped=swapped)[:length]


def _halved(vectors: FloatArray, edge: FloatArray, levels: Levels) -> FloatArray:
    """Return the tree over windows that do not overlap."""
    window = 2 ** len(levels)
    in_front = -len(vectors) % window
    h = np.concatenate([np.tile(edge, (in_front, 1)), vectors])
    for W, b in levels:
        h = np.tanh(h.reshape(len(h) // 2, -1) @ W + b)
    return h


SLIDE = Exercise(
    id="6.1",
    title="The tree at every position",
    answer="tree_everywhere",
    task="""\
Write `tree_everywhere(vectors, edge, levels)` in NumPy, without cutting windows. `vectors` is an array (N, E), the
vectors of a text's N characters; `edge` (E,) is the vector of the dot, which stands before the text as often as you
like. `levels` is a list of k pairs `(W, b)`, the lowest first: one level of the tree makes `np.tanh(pair @ W + b)` of
two neighbours. `W` has shape (2 C, H): its first half, `np.split(W, 2)[0]`, is for the older of the two, its second
half for the newer. Return an array (N, H): row t is what the tree gives for the window of 2ᵏ characters that *ends*
with character t. `np.tile(edge, (n, 1))` is n copies of a row, and `np.concatenate([a, b])` puts b below a.""",
    cases=_trees,
    solution=_everywhere,
    mistakes=(
        Mistake(
            name="dilation not doubled",
            answer=lambda **case: _everywhere(**case, dilation=lambda level: 1),
            message="Every level joins direct neighbours. On level 1 each position already stands for two characters, "
            "so the one to join it with stands two places back; then four.",
        ),
        Mistake(
            name="dilation from 2 on",
            answer=lambda **case: _everywhere(**case, dilation=lambda level: 2 ** (level + 1)),
            message="The lowest level joins a character with the one right before it: it begins with 1.",
        ),
        Mistake(
            name="dilations upside down",
            answer=lambda **case: _everywhere(**case, dilation=lambda level: 2 ** (len(case["levels"]) - 1 - level)),
            message="The steps are 1, 2, 4 from the lowest level up. From the top down, far characters are joined "
            "first.",
        ),
        Mistake(
            name="looks ahead",
            answer=lambda **case: _ahead(**case, swapped=False),
            message="Row t is the window that begins with character t: it reads what is still to be predicted. Take "
            "the other one of each pair from before t, and pad in front.",
        ),
        Mistake(
            name="looks ahead, and the pair's weights are swapped",
            answer=lambda **case: _ahead(**case, swapped=True),
            message="Each position is joined with a later one, so it reads what is still to be predicted. The other "
            "one of each pair stands before t.",
        ),
        Mistake(
            name="the pair's weights are swapped",
            answer=lambda **case: _everywhere(**case, swapped=True),
            message="The first half of W is for the older of the two, h[:-d]; the second for the newer, h[d:].",
        ),
        Mistake(
            name="zeros in front, not edges",
            answer=lambda **case: _everywhere(**case, padding="zeros"),
            message="That is what a convolution layer does by itself: on every level, 0 stands where nothing is. But "
            "before a name the tree has read dots, and made something of them on every level.",
        ),
        Mistake(
            name="no padding",
            answer=lambda **case: _everywhere(**case, padding="none"),
            message="Every level shortens the text by its dilation. The rows that are missing are the first ones, "
            "whose windows begin before the text: put edges there.",
        ),
        Mistake(
            name="not enough padding",
            answer=lambda **case: _everywhere(**case, padding="one edge"),
            message="One edge is enough for the lowest level. All levels together shorten the text by 1 + 2 + 4 + ...",
        ),
        Mistake(
            name="shifted by one",
            answer=lambda **case: _everywhere(**case, more=1)[:-1],
            message="Row t is the window that ends with the character before t. One edge too many stands in front.",
        ),
        Mistake(
            name="one row too many",
            answer=lambda **case: _everywhere(**case, more=1),
            message="As many edges as a window has characters make a first window of nothing but edges. It ends before "
            "the text does begin.",
        ),
        Mistake(
            name="windows that do not overlap",
            answer=_halved,
            message="Each level halves the text, so only every 2ᵏ-th position gets an answer. Nothing is halved here: "
            "every level keeps all positions.",
        ),
        Mistake(
            name="forgot tanh",
            answer=lambda **case: _everywhere(**case, squash=lambda sums: sums),
            message="Without tanh between them all the levels are one matrix.",
        ),
        Mistake(
            name="forgot the bias",
            answer=lambda **case: _everywhere(**case, bias=0.0),
            message="Each level adds its b before the tanh.",
        ),
    ),
    hints=(
        "First put 2ᵏ - 1 edges in front: np.concatenate([np.tile(edge, (count, 1)), vectors]).",
        "On the lowest level each is joined with the one before: h[:-1] are the older of all pairs, h[1:] the newer.",
        "On level l (from 0) the two stand d = 2**l apart: h[:-d] and h[d:]. Each level makes h shorter by d.",
        "left, right = np.split(W, 2); h = np.tanh(h[:-d] @ left + h[d:] @ right + b)",
    ),
    look="the picture of the tree among those of all other letters: the dark lines are one row of your answer.",
)


# -- 6.2: below 2.00 --------------------------------------------------------------------------------------------------

BOUND: Final = 2.0
"""Nats per character of dev."""

LONGEST: Final = 16
"""Of the contexts that are handed over."""

_SMALL = 512
"""Contexts by which slips are told."""


@cache
def _texts() -> tuple[Any, dict[str, Any]]:
    corpus = load_corpus("names")
    vocabulary = Vocabulary.of(corpus.items)
    parts = split_corpus(corpus, seed=42)
    return vocabulary, {name: vocabulary.encode_items(getattr(parts, name).items) for name in ("train", "dev", "test")}


@cache
def _targets(part: str) -> tuple[IntArray, IntArray]:
    windows = Windows(_texts()[1][part], LONGEST)
    batch = windows.batch(np.arange(len(windows)))
    return batch.x, batch.y


def _contexts(rng: np.random.Generator) -> list[dict[str, Any]]:
    x, _ = _targets("dev")
    return [{"contexts": x[rng.choice(len(x), _SMALL, replace=False)]}]


def _nats(logits: FloatArray, y: IntArray) -> float:
    """Return the mean of -log p, in nats."""
    shifted = logits - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(y)), y]).mean())


def _softmax(logits: FloatArray) -> FloatArray:
    counts = np.exp(logits - logits.max(1, keepdims=True))
    shares: FloatArray = counts / counts.sum(1, keepdims=True)
    return shares


def _asked(answer: Callable[..., Any], contexts: IntArray) -> FloatArray:
    logits = call(answer, {"contexts": contexts.copy()})
    return np.asarray(logits.detach().numpy() if hasattr(logits, "detach") else logits, np.float64)


def _judged(answer: Callable[..., Any], case: Case) -> Any:
    """Return what is true of a model's logits, and how far above the bound it is; later things only if all before is.

    The loss is measured here, on the dev part, whatever the learner measured.
    """
    contexts = case["contexts"]
    if call(answer, {"contexts": contexts[:2].copy()}) is None:
        return None
    found = dict(_NOTHING_KNOWN)
    for name, fact in _of_logits(answer, contexts).items():
        found[name] = fact
        if fact != _SOUND[name]:
            break
    else:
        dev, test = (_nats(_asked(answer, x), y) for x, y in map(_targets, ("dev", "test")))
        found["whether dev was held out"] = test - dev < 0.04 and dev > 1.88
        found["nats per character of dev above 2.00"] = max(0.0, dev - BOUND)
    return found


_SOUND: Final[dict[str, Any]] = {
    "how many numbers a context gets": 27,
    "how many contexts get them": _SMALL,
    "whether each is finite": True,
    "whether a context gets the same in another batch": True,
    "whether they are logits": True,
    "whether 0 is the dot": True,
    "whether it says what comes next": True,
    "whether the newest character is read as the newest": True,
}
_NOTHING_KNOWN: Final = {
    **dict.fromkeys(_SOUND, np.nan), "whether dev was held out": np.nan, "nats per character of dev above 2.00": np.nan,
}  # fmt: skip
"""Not False: a slip is known by the first thing that is, and nothing after that was looked at."""


def _of_logits(answer: Callable[..., Any], contexts: IntArray) -> dict[str, Any]:
    logits = _asked(answer, contexts)
    found: dict[str, Any] = {
        "how many numbers a context gets": logits.shape[-1] if logits.ndim else 1,
        "how many contexts get them": len(logits) if logits.ndim == 2 else 1,
        "whether each is finite": bool(np.isfinite(logits).all()),
    }
    if not all(found[name] == _SOUND[name] for name in found):
        return found
    few = _asked(answer, contexts[:7])
    sums, positive = logits.sum(1), bool((logits >= 0).all())
    x, y = (array[:: len(_targets("dev")[1]) // 2000] for array in _targets("dev"))
    plain = _nats(_asked(answer, x), y)
    turned = _nats(_asked(answer, x[:, ::-1]), y)
    renumbered = _nats(np.roll(_asked(answer, (x - 1) % 27), 1, axis=1), y)
    p = _softmax(logits)
    again = p[np.arange(len(p)), contexts[:, -1]].mean()
    return found | {
        "whether a context gets the same in another batch": bool(np.allclose(few, logits[:7], rtol=1e-3, atol=1e-3)),
        "whether they are logits": not (positive and np.allclose(sums, 1, atol=1e-3)),
        "whether 0 is the dot": not renumbered < plain - 0.1,
        "whether it says what comes next": bool(again < 0.3),
        "whether the newest character is read as the newest": not turned < plain - 0.02,
    }


@cache
def _net() -> Any:
    return load_pretrained()


def _kept(contexts: IntArray) -> FloatArray:
    """Return the logits of the network that scripts/train_lesson_6.py trained."""
    logits: FloatArray = _net().next_logits(contexts[:, -6:])
    return logits


@cache
def _counted(parts: tuple[str, ...]) -> Any:
    encoded = _texts()[1]
    return NGram(NGramConfig(vocabulary_size=27)).fit(*(encoded[part] for part in parts))


def _by_counts(contexts: IntArray, *, parts: tuple[str, ...]) -> FloatArray:
    model = _counted(parts)
    logits: FloatArray = model.next_logits(contexts[:, -model.context :])
    return logits


def _by_batch(contexts: IntArray) -> FloatArray:
    logits = _kept(contexts)
    alike: FloatArray = (logits - logits.mean(0)) / logits.std(0)
    return alike


def _parrot(contexts: IntArray) -> FloatArray:
    logits: FloatArray = 6.0 * np.eye(27)[contexts[:, -1]]
    return logits


def _all_zero_counts(contexts: IntArray) -> FloatArray:
    """Return logs of probabilities of which some are 0."""
    p = _softmax(_kept(contexts))
    with np.errstate(divide="ignore"):
        return np.log(np.where(p < 1e-4, 0, p))


BEAT = Exercise(
    id="6.2",
    title="Beat the lecture",
    answer="logits_for",
    task="""\
1.993 is what the lecture's network of 76 thousand numbers reached on the lecture's own list of names, some of which
stand both in its train and in its dev part. In this package's `names` no name of dev is in train, and there the same
network trained the same way comes to 2.015. So here the mark is **2.00 nats per character of dev**. Train whatever
you like on the train part of `split_corpus(load_corpus("names"), seed=42)`, for as long as you like, and write
`logits_for(contexts)`. `contexts` is an array (N, 16) of ids, oldest first: the 16 characters before the one to
predict, the newest in the last column; 0, the dot, fills what lies before the beginning. Take as many of the last
columns as your model reads, as in `contexts[:, -8:]`. Return (N, 27) logits, one for each id, the dot's first. The
ids are those of `Vocabulary.of(corpus.items)`. The check measures the loss itself, on dev.""",
    cases=_contexts,
    solution=_kept,
    use=_judged,
    mistakes=(
        Mistake(
            name="impossible characters",
            answer=_all_zero_counts,
            message="A logit is infinite or not a number: some character has probability 0, and when it comes after "
            "all, the loss is infinite. Smooth it; or did training burst?",
        ),
        Mistake(
            name="a context's logits depend on its neighbours",
            answer=_by_batch,
            message="The same context gets other logits in another batch. Batch norm in training mode takes mean and "
            "variance from whoever is in the batch: switch to evaluation first. Or was softmax taken over axis 0?",
        ),
        Mistake(
            name="probabilities, not logits",
            answer=lambda contexts: _softmax(_kept(contexts)),
            message="Rows that are never negative and sum to 1 are probabilities, and softmax of them is nearly even. "
            "Return what goes into softmax, or the logs.",
        ),
        Mistake(
            name="another numbering",
            answer=lambda contexts: np.roll(_kept((contexts + 1) % 27), -1, axis=1),
            message="The dot has number 0 and a has 1. It looks as if a had 0 in your model and the dot 26.",
        ),
        Mistake(
            name="a context that contains the target",
            answer=_parrot,
            message="It says that the last character comes again. That is what a model learns whose windows end with "
            "the very character that it is to predict: they must end one earlier.",
        ),
        Mistake(
            name="contexts from the wrong end",
            answer=lambda contexts: _kept(contexts[:, ::-1]),
            message="It does better when the contexts are turned round. The newest character stands in the last "
            "column: a model of context 8 takes contexts[:, -8:], as it stands.",
        ),
        Mistake(
            name="trained on what it is judged by",
            answer=lambda contexts: _by_counts(contexts, parts=("dev", "dev")),
            message="On dev it is better than anything that has not read dev can be, or far better than on test. Train "
            "on the train part alone.",
        ),
        Mistake(
            name="counted, not learnt",
            answer=lambda contexts: _by_counts(contexts, parts=("train", "dev")),
            message="That is the best of the counted models of lesson 2, smoothed as well as can be. It is close. A "
            "network shares what it learns between contexts that are alike, and gets below it.",
        ),
    ),
    hints=(
        (
            "trained(model, settings, config) of the lesson trains any network of the package. Its first answer is the "
            "network, and next_logits(contexts[:, -T:]) of that gives logits for its T."
        ),
        (
            "Look at train beside dev. If both are high, train for longer, or a larger net. If train is far below dev, "
            "it has learnt the names by heart: more weight_decay, and average=0.998."
        ),
        (
            "It need not be a tree. On names this short a flat net that reads 6 characters does well: two hidden "
            "layers of about 170 units, embedding 24."
        ),
        "TrainConfig.of('mlp', steps=8000, weight_decay=0.07) trains that one in seconds.",
    ),
    look="the losses on train and on dev that trained(...) prints, side by side.",
    atol=1e-6,
)


# -- 6.3: batch norm over batch and position --------------------------------------------------------------------------


def _batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    def case(B: int, T: int, C: int, momentum: float) -> dict[str, Any]:
        return {
            "x": rng.normal(1.0, 2.0, (B, T, C)) + 2 * rng.normal(size=(T, C)),
            "gain": rng.uniform(0.5, 2, C),
            "shift": rng.normal(size=C),
            "running_mean": rng.normal(size=C),
            "running_var": rng.uniform(0.5, 3, C),
            "momentum": momentum,
        }

    return [case(4, 3, 5, 0.1), case(6, 2, 3, 0.3), case(3, 4, 4, 0.1)]


def _normalised(
    x: FloatArray, gain: FloatArray, shift: FloatArray, running_mean: FloatArray, running_var: FloatArray,
    momentum: float, *, over: int | tuple[int, ...] = (0, 1), less: int = 0, less_running: int = 1,
    power: float = 0.5, by_running: bool = False, keepdims: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    mean, var = x.mean(over, keepdims=True), x.var(over, ddof=less, keepdims=True)
    used_mean, used_var = (running_mean, running_var) if by_running else (mean, var)
    y = gain * (x - used_mean) / (used_var + 1e-5) ** power + shift
    seen_mean, seen_var = x.mean(over, keepdims=keepdims), x.var(over, ddof=less_running, keepdims=keepdims)
    if over == 2:  # (B, T) and (C,) need not fit
        return y, np.full_like(running_mean, np.nan), np.full_like(running_var, np.nan)
    running_mean = (1 - momentum) * running_mean + momentum * seen_mean
    running_var = (1 - momentum) * running_var + momentum * seen_var
    return y, running_mean, running_var


def _turned(**case: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    y = _normalised(**case)[0]
    return y, *_normalised(**{**case, "momentum": 1 - case["momentum"]})[1:]


def _without_eps(**case: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    x = case["x"]
    y = case["gain"] * (x - x.mean((0, 1))) / x.std((0, 1)) + case["shift"]
    return y, *_normalised(**case)[1:]


NORM = Exercise(
    id="6.3",
    title="Batch norm over batch and position",
    answer="batch_norm_3d",
    task="""\
Write `batch_norm_3d(x, gain, shift, running_mean, running_var, momentum)`, the training step of batch norm, in NumPy.
`x` is an array (B, T, C); `gain`, `shift`, `running_mean` and `running_var` are (C,), one number for each channel. Take
each channel's mean and variance over all B T numbers, with the *biased* variance (divided by B T), normalise with 1e-5
added to the variance, multiply by `gain` and add `shift`. Return three arrays: y, (B, T, C); the new running mean and
the new running variance, each (C,): `(1 - momentum)` times the old one, plus `momentum` times the batch's. For the
running variance the batch's is the *unbiased* one (divided by B T - 1, in NumPy `ddof=1`).""",
    cases=_batches,
    solution=_normalised,
    parts=("y", "the running mean", "the running variance"),
    mistakes=(
        Mistake(
            name="only over axis 0",
            answer=lambda **case: _normalised(**case, over=0),
            message="Each position is normalised by itself, with B numbers. The weights before it are the same at all "
            "positions, so all B T numbers belong together: x.mean((0, 1)).",
        ),
        Mistake(
            name="only over axis 1",
            answer=lambda **case: _normalised(**case, over=1),
            message="Each example is normalised by itself, over its positions. Batch norm takes the batch as well.",
        ),
        Mistake(
            name="over the channels",
            answer=lambda **case: _normalised(**case, over=2),
            message="Each position is normalised over its channels: that is layer norm. Batch norm keeps the channels "
            "apart.",
        ),
        Mistake(
            name="over everything",
            answer=lambda **case: _normalised(**case, over=(0, 1, 2)),
            message="All channels got one mean. Each has its own.",
        ),
        Mistake(
            name="the running statistics in training",
            answer=lambda **case: _normalised(**case, by_running=True),
            message="In training the batch is normalised with its own mean and variance; the running ones are for "
            "later.",
        ),
        Mistake(
            name="unbiased for biased variance",
            answer=lambda **case: _normalised(**case, less=1),
            message="To normalise, divide by B T, so that what comes out has variance 1 in this batch: ddof=0.",
        ),
        Mistake(
            name="divided by the variance",
            answer=lambda **case: _normalised(**case, power=1.0),
            message="Divide by the standard deviation: a square root is missing.",
        ),
        Mistake(
            name="eps is missing",
            answer=_without_eps,
            message="1e-5 is added to the variance, under the root.",
        ),
        Mistake(
            name="running statistics with axes of length 1",
            answer=lambda **case: _normalised(**case, keepdims=True),
            message="They have shape (1, 1, C). The mean that normalises needs these axes, or is broadcast without "
            "them; what is kept has one number for each channel, (C,).",
        ),
        Mistake(
            name="momentum the wrong way round",
            answer=_turned,
            message="momentum is the share of the batch, and small: the old one keeps 1 - momentum.",
        ),
        Mistake(
            name="the running statistics do not move",
            answer=lambda **case: (_normalised(**case)[0], case["running_mean"], case["running_var"]),
            message="They came back as they went in. Each moves a little towards the batch's.",
        ),
        Mistake(
            name="biased for unbiased variance",
            answer=lambda **case: _normalised(**case, less_running=0),
            message="The running variance is a guess at that of all data, so the batch's is divided by B T - 1: "
            "ddof=1. Only what normalises the batch itself is divided by B T.",
        ),
    ),
    hints=(
        "x.mean((0, 1)) has shape (C,) and lies along the last axis: taking it off x needs no keepdims.",
        "var = x.var((0, 1)) is biased. y = gain * (x - mean) / np.sqrt(var + 1e-5) + shift.",
        "The running mean: (1 - momentum) * running_mean + momentum * mean.",
        "The running variance: the same with x.var((0, 1), ddof=1).",
    ),
    look="the table of running means before and after the repair: how many numbers is each a mean of?",
)


EXERCISES = (SLIDE, BEAT, NORM)
