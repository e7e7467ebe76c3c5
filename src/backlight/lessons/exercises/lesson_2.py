"""Lesson 2: counting, splitting, smoothing, one-hot and indexing, cross-entropy."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import last_only

_WORDS = ["emma", "ava", "mia", "anna", "eve", "mae", "ana", "emmie"]


def _numbers(words: Sequence[str]) -> dict[str, int]:
    return {".": 0, **{letter: i for i, letter in enumerate(sorted(set("".join(words))), 1)}}


# -- 2.1: trigrams ----------------------------------------------------------------------------------------------------


def _spelled(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = ["".join(rng.choice(list("abcd"), rng.integers(1, 7))) for _ in range(30)]
    return [{"words": words, "stoi": _numbers(words)} for words in (_WORDS, drawn, ["a"])]


def trigram_counts(
    words: list[str], stoi: dict[str, int], *, before: str = "..", after: str = ".", order: tuple[int, ...] = (0, 1, 2)
) -> IntArray:
    counts = np.zeros((len(stoi),) * 3, np.int64)
    for word in words:
        ids = [stoi[letter] for letter in before + word + after]
        for three in zip(ids, ids[1:], ids[2:], strict=False):
            counts[tuple(three[place] for place in order)] += 1
    return counts


TRIGRAM = Exercise(
    cases=_spelled,
    solution=trigram_counts,
    mistakes=(
        wrong("one dot in front", before=".",
              says="With one dot in front the first letter is never predicted: it needs two characters before it."),
        wrong("the end is not counted", after="",
              says="That a word ends is a prediction, too: a dot follows its last letter."),
        wrong("two dots behind", after="..",
              says="A word ends once. The second dot would be predicted after a word that is over."),
        wrong("no dots at all", before="", after="",
              says="How words begin and how they end is not counted: put dots around each."),
        wrong("axes in another order", order=(1, 0, 2),
              says="The first axis is the older of the two characters before."),
        wrong("axes back to front", order=(2, 1, 0),
              says="The last axis is the character that follows; the first is the oldest."),
        wrong("= for +=", lambda words, stoi: (trigram_counts(words, stoi) > 0).astype(np.int64),
              says="Every trigram counts once, however often it came: each time one must be added."),
    ),
    hints=(
        "Start from an array of zeros with three axes of length len(stoi).",
        'For each word, go along list(".." + word + ".") in threes: zip(s, s[1:], s[2:]).',
        "counts[stoi[a], stoi[b], stoi[c]] += 1",
    ),
    look="the picture of the bigram counts: row 0 is how words begin, column 0 how they end. Is yours empty there?",
)  # fmt: skip


# -- 2.2: split -------------------------------------------------------------------------------------------------------


def _lists(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [{"words": [f"w{i:04d}" for i in range(count)], "seed": seed} for count, seed in ((1002, 1), (208, 7))]


def _facts(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return what is true of a split, whichever way it was shuffled."""
    kept = list(case["words"])
    parts = call(answer, case)
    if parts is None or any(part is None for part in parts):
        return None
    if len(parts) != 3:
        return parts
    train, dev, test = ([str(word) for word in part] for part in parts)
    again = [[str(word) for word in part] for part in call(answer, {"words": list(kept), "seed": case["seed"]})]
    half = set(kept[: len(kept) // 2])
    return {
        "how many words are in train": len(train),
        "how many words are in dev": len(dev),
        "how many words are in test": len(test),
        "how many words are in two parts": len({*train} & {*dev, *test}) + len({*dev} & {*test}),
        "how many words are lost": len(set(kept) - {*train, *dev, *test}),
        "whether test has words from both halves of the list": len({word in half for word in test}) == 2,
        "whether the same seed gives the same parts": [train, dev, test] == again,
    }


def split(
    words: list[str], seed: int, *, shuffled: bool = True, cuts: tuple[float, float] = (0.8, 0.9),
    from_start: bool = False,
) -> tuple[list[str], list[str], list[str]]:  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(words)) if shuffled else np.arange(len(words))
    first, second = (int(cut * len(words)) for cut in cuts)
    mixed = [words[i] for i in order]
    return mixed[:first], mixed[0 if from_start else first : second], mixed[second:]


def _drawn(words: list[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Return three samples of the right sizes, each drawn from all words."""
    rng = np.random.default_rng(seed)
    first, second = int(0.8 * len(words)), int(0.9 * len(words))
    sizes = (first, second - first, len(words) - second)
    train, dev, test = ([words[i] for i in rng.permutation(len(words))[:size]] for size in sizes)
    return train, dev, test


SPLIT = Exercise(
    cases=_lists,
    solution=split,
    use=_facts,
    mistakes=(
        wrong("not shuffled", shuffled=False,
              says="The list may be sorted. Then test holds words unlike those in train, and its loss says nothing."),
        wrong("parts overlap", _drawn,
              says="A word that is in train and in test was learnt by heart: shuffle once, then cut."),
        wrong("dev begins at the start", from_start=True,
              says="Dev is what lies between the two cuts, words[n1:n2]. It has no word of train."),
        wrong("80 / 20 / 0", cuts=(0.8, 1.0),
              says="Nothing is left for test. Dev is what settings are chosen by, so it cannot judge them."),
        wrong("train holds 90 %", cuts=(0.9, 0.95), says="The two cuts are at 80 % and at 90 % of the words."),
    ),
    hints=(
        "random.Random(seed).shuffle(words) shuffles a list in place, the same way for the same seed. Copy it first.",
        "n1 = int(0.8 * len(words)) and n2 = int(0.9 * len(words)).",
        "Train is words[:n1], dev is words[n1:n2], test is words[n2:].",
    ),
    look="the sizes of your three lists, and the first words of each: do they come from all of the alphabet?",
)  # fmt: skip


# -- 2.3: smoothing ---------------------------------------------------------------------------------------------------


def _tables(rng: np.random.Generator) -> list[dict[str, Any]]:
    shares = rng.dirichlet(np.full(6, 0.6), 6)
    train = np.stack([rng.multinomial(12, row) for row in shares])
    dev = np.stack([rng.multinomial(30, row) for row in shares])
    smaller = rng.multinomial(30, np.full(9, 1 / 9)).reshape(3, 3)
    return [
        {"train": train, "dev": dev, "ks": [0.01, 0.1, 0.5, 1.0, 3.0, 10.0]},
        {"train": smaller, "dev": rng.multinomial(20, np.full(9, 1 / 9)).reshape(3, 3), "ks": [0.1, 1.0, 30.0]},
    ]


def tune_smoothing(
    train: IntArray, dev: IntArray, ks: list[float], *, sign: float = -1.0, mean: bool = True,
    below: Callable[..., FloatArray] = lambda smoothed, train: smoothed.sum(1, keepdims=True),
    weights: Callable[..., IntArray] = lambda train, dev: dev,
    best: Callable[..., float] = lambda losses, ks: ks[int(np.argmin(losses))],
) -> tuple[FloatArray, float]:  # fmt: skip
    counts = weights(train, dev)
    losses = []
    for k in ks:
        probs = (train + k) / below(train + k, train)
        nats = sign * (counts * np.log(probs)).sum()
        losses.append(nats / counts.sum() if mean else nats)
    return np.array(losses), best(losses, ks)


SMOOTHING = Exercise(
    cases=_tables,
    solution=tune_smoothing,
    parts=("the losses", "the best k"),
    mistakes=(
        wrong("judged on train", weights=lambda train, dev: train,
              says="On train less smoothing is always better: it was counted there. What was never seen is in dev."),
        wrong("divided by columns' sums", below=lambda smoothed, train: smoothed.sum(0, keepdims=True),
              says="A row is what may follow its character, so the row must sum to 1: sum over axis 1."),
        wrong("forgot keepdims", below=lambda smoothed, train: smoothed.sum(1),
              says="A sum of shape (V,) is laid along the columns: each column is divided, not each row. Keep (V, 1)."),
        wrong("k is not in the sum below", below=lambda smoothed, train: np.maximum(train.sum(1, keepdims=True), 1),
              says="k is added above but not below: the rows sum to more than 1. Add first, then take the sum."),
        wrong("sum for mean", mean=False,
              says="That is the loss of all pairs together: divide by how many there are, dev.sum()."),
        wrong("the place of the best k", best=lambda losses, ks: float(np.argmin(losses)),
              says="np.argmin gives the place of the lowest loss. The k that stands there is ks[place]."),
        wrong("not weighed by dev", weights=lambda train, dev: np.ones_like(dev),
              says="Each pair costs as often as it was counted in dev: a pair that came 5 times costs 5 times -log p."),
        wrong("the highest loss", best=lambda losses, ks: ks[int(np.argmax(losses))],
              says="The best k is the one with the lowest loss."),
        wrong("log without minus", sign=1.0,
              says="Logs of probabilities are below 0. The loss is their negative, and small is good."),
    ),
    hints=(
        "For one k: probs = train + k; divide by probs.sum(1, keepdims=True).",
        "A pair that was counted 5 times in dev costs 5 times -log p: multiply dev by the logs, and sum.",
        "loss = -(dev * np.log(probs)).sum() / dev.sum(); the best k stands where np.argmin(losses) points.",
    ),
    look="the picture of the loss over k: train only rises with k; dev falls first.",
)  # fmt: skip


# -- 2.4: one-hot and indexing ----------------------------------------------------------------------------------------


def _layers(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"W": rng.normal(size=(V, V)), "ids": np.array(ids), "dlogits": rng.normal(size=(len(ids), V))}
        for V, ids in ((5, [0, 3, 3, 1]), (4, [2, 2, 2, 2, 0, 1]))
    ]


def layer_by_index(W: FloatArray, ids: IntArray, dlogits: FloatArray) -> tuple[FloatArray, FloatArray]:
    dW = np.zeros_like(W)
    np.add.at(dW, ids, dlogits)
    return W[ids], dW


INDEXING = Exercise(
    cases=_layers,
    solution=layer_by_index,
    parts=("the logits", "W's gradient"),
    mistakes=(
        wrong("= for += where an index repeats", lambda W, ids, dlogits: (W[ids], last_only(W, ids, dlogits)),
              says="dW[ids] += dlogits writes each row once: of an id that stands there twice only the last is kept. A "
                   "row that was used twice gets two gradients, and they add."),
        wrong("columns for rows", lambda W, ids, dlogits: (W[:, ids], layer_by_index(W, ids, dlogits)[1]),
              says="W[:, ids] picks columns. A one-hot vector on the left of W picks a row."),
        wrong("transposed product", lambda W, ids, dlogits: (W.T[ids], layer_by_index(W, ids, dlogits)[1].T),
              says="W is used the wrong way round: one_hot @ W picks rows of W, not of W.T."),
        wrong("the gradient is not put in its rows", lambda W, ids, dlogits: (W[ids], dlogits),
              says="dlogits has a row for each example, W a row for each character: each row of dlogits is added to "
                   "the row of W that its example used."),
    ),
    hints=(
        "One-hot times W picks a row. NumPy picks rows by W[ids].",
        "Backward: the row that was picked gets the gradient of the row that it became. All other rows get 0.",
        "np.add.at(dW, ids, dlogits) adds also where an index repeats; so does a loop over the examples.",
    ),
    look="the picture of W's gradient in the lesson: only rows of characters that stood in the batch are lit.",
)  # fmt: skip


# -- 2.5: cross-entropy -----------------------------------------------------------------------------------------------


def _scores(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"logits": rng.normal(0, 2, (4, 5)), "targets": np.array([1, 0, 4, 4])},
        {"logits": rng.normal(0, 1, (6, 6)), "targets": rng.integers(0, 6, 6)},
        {"logits": np.array([[1000.0, 1001.0, 0.0], [-1000.0, -1001.0, -999.0]]), "targets": np.array([0, 1])},
    ]


def cross_entropy(
    logits: FloatArray, targets: IntArray, *, axis: int = 1, over_rows: Callable[[FloatArray], Any] = np.mean
) -> Any:
    shifted = logits - logits.max(axis, keepdims=True)
    logprobs = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    return over_rows(-logprobs[np.arange(len(targets)), targets])


def _unshifted(logits: FloatArray, targets: IntArray) -> float:
    counts = np.exp(logits)
    probs = counts / counts.sum(1, keepdims=True)
    return float(-np.log(probs[np.arange(len(targets)), targets]).mean())


CROSS_ENTROPY = Exercise(
    cases=_scores,
    solution=cross_entropy,
    mistakes=(
        wrong("overflow", _unshifted,
              says="e to the 1000 is more than a float holds. Softmax is the same if the largest logit of each row is "
                   "subtracted first: then the largest is 0."),
        wrong("sum for mean", over_rows=np.sum,
              says="That is the loss of all rows together, which grows with the batch. Take the mean."),
        wrong("no mean", over_rows=lambda nats: nats,
              says="That is a loss for each row. Cross-entropy is their mean, one number."),
        wrong("log without minus", over_rows=lambda nats: -nats.mean(),
              says="The log of a probability is below 0. The loss is its negative."),
        wrong("softmax over the wrong axis", axis=0,
              says="Each row is a distribution over characters: sum over axis 1, and keep it as (N, 1)."),
        wrong("log of the mean", over_rows=lambda nats: -np.log(np.exp(-nats).mean()),
              says="Take the log of each probability first, then the mean: the log of a mean is something else."),
        wrong("log to the base 2", over_rows=lambda nats: nats.mean() / np.log(2),
              says="That is in bits. The natural log, np.log, gives nats."),
        wrong("no softmax", lambda logits, targets: -logits[np.arange(len(targets)), targets].mean(),
              says="Logits are log counts; they become log probabilities when the log of their row's sum is "
                   "subtracted."),
    ),
    hints=(
        "Four steps: counts = e to the logits; probs = counts / the row's sum; p = probs at the targets; -log p, mean.",
        "probs[np.arange(N), targets] picks one probability from each row.",
        "For large logits: subtract logits.max(1, keepdims=True) first.",
        "Better still: log p = shifted logit - log(sum of e to the shifted). No probability is rounded to 0 then.",
    ),
    look="backlight explain 'o = log(exp(a) + exp(b)) - a' --at a=1,b=2: each slope is a probability.",
)  # fmt: skip


# -- 2.6: n-grams -----------------------------------------------------------------------------------------------------


def _orders(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = ["".join(rng.choice(list("abc"), rng.integers(1, 6))) for _ in range(20)]
    return [{"words": _WORDS, "n": 3}, {"words": _WORDS, "n": 1}, {"words": drawn, "n": 2}, {"words": drawn, "n": 5}]


def ngram_counts(
    words: list[str], n: int, *, dots: Callable[[int], int] = lambda n: n - 1, end: str = ".", once: bool = False
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for word in words:
        text = "." * dots(n) + word + end
        found = [text[i : i + n] for i in range(len(text) - n + 1)]
        counts.update(set(found) if once else found)
    return dict(counts)


def _counted(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return how many n-grams an answer counted, and how often each that there is."""
    counts = call(answer, case)
    if not isinstance(counts, dict):
        return counts
    told = {("".join(key) if isinstance(key, tuple) else str(key)): count for key, count in counts.items()}
    return {
        "how many n-grams there are in all": sum(told.values()),
        "how many different ones": sum(count != 0 for count in told.values()),
        "how often each occurs, in the alphabet's order": [told.get(key, 0) for key in sorted(ngram_counts(**case))],
    }


NGRAM = Exercise(
    cases=_orders,
    solution=ngram_counts,
    use=_counted,
    mistakes=(
        wrong("one dot in front", dots=lambda n: 1,
              says="Whatever n is, the first letter needs n - 1 characters before it: none for n = 1, four for n = 5."),
        wrong("the end is not counted", end="",
              says="That a word ends is a prediction, too: a dot follows its last letter."),
        wrong("n dots in front", dots=lambda n: n,
              says="n dots in front make an n-gram of nothing but dots, which predicts a dot that is no end."),
        wrong("one word after the other", lambda words, n: ngram_counts([".".join(words)], n),
              says="The words were joined to one text, so that n-grams reach from one into the next. Take each by "
                   "itself."),
        wrong("once a word", once=True, says="An n-gram that comes twice in a word counts twice."),
        wrong("no dots at all", dots=lambda n: 0, end="",
              says="How words begin and how they end is not counted: put dots around each."),
    ),
    hints=(
        'One word: text = "." * (n - 1) + word + ".". How many pieces of n characters does it have?',
        "The pieces are text[i : i + n] for i from 0 to len(text) - n.",
        "counts[piece] = counts.get(piece, 0) + 1",
    ),
    look="the table of 1-grams to 5-grams at the end of the lesson: as many n-grams in all as letters and ends, "
    "whatever n.",
)  # fmt: skip

EXERCISES = (TRIGRAM, SPLIT, SMOOTHING, INDEXING, CROSS_ENTROPY, NGRAM)
