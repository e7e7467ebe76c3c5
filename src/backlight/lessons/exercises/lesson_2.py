"""Lesson 2: counting, splitting, smoothing, one-hot and indexing, cross-entropy."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Case, Exercise, Mistake, call

_WORDS = ["emma", "ava", "mia", "anna", "eve", "mae", "ana", "emmie"]


def _numbers(words: Sequence[str]) -> dict[str, int]:
    return {".": 0, **{letter: i for i, letter in enumerate(sorted(set("".join(words))), 1)}}


# -- 2.1: trigrams ----------------------------------------------------------------------------------------------------


def _spelled(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = ["".join(rng.choice(list("abcd"), rng.integers(1, 7))) for _ in range(30)]
    return [{"words": words, "stoi": _numbers(words)} for words in (_WORDS, drawn, ["a"])]


def _trigrams(
    words: list[str], stoi: dict[str, int], *, before: str = "..", after: str = ".", order: tuple[int, ...] = (0, 1, 2)
) -> IntArray:
    counts = np.zeros((len(stoi),) * 3, np.int64)
    for word in words:
        ids = [stoi[letter] for letter in before + word + after]
        for three in zip(ids, ids[1:], ids[2:], strict=False):
            counts[tuple(three[place] for place in order)] += 1
    return counts


def _seen(words: list[str], stoi: dict[str, int]) -> IntArray:
    return (_trigrams(words, stoi) > 0).astype(np.int64)


TRIGRAM = Exercise(
    id="2.1",
    title="Count trigrams",
    answer="trigram_counts",
    task="""\
Write `trigram_counts(words, stoi)`. `stoi` gives each of V characters a number, "." the 0. Return an array of shape
(V, V, V): `counts[i, j, k]` says how often the characters i, j, k stood in a row. Before a word stand two dots, so that
its first letter has two characters before it; after it stands one.""",
    cases=_spelled,
    solution=_trigrams,
    mistakes=(
        Mistake(
            name="one dot in front",
            answer=lambda words, stoi: _trigrams(words, stoi, before="."),
            message="With one dot in front the first letter is never predicted: it needs two characters before it.",
        ),
        Mistake(
            name="the end is not counted",
            answer=lambda words, stoi: _trigrams(words, stoi, after=""),
            message="That a word ends is a prediction, too: a dot follows its last letter.",
        ),
        Mistake(
            name="two dots behind",
            answer=lambda words, stoi: _trigrams(words, stoi, after=".."),
            message="A word ends once. The second dot would be predicted after a word that is over.",
        ),
        Mistake(
            name="no dots at all",
            answer=lambda words, stoi: _trigrams(words, stoi, before="", after=""),
            message="How words begin and how they end is not counted: put dots around each.",
        ),
        Mistake(
            name="axes in another order",
            answer=lambda words, stoi: _trigrams(words, stoi, order=(1, 0, 2)),
            message="The first axis is the older of the two characters before.",
        ),
        Mistake(
            name="axes back to front",
            answer=lambda words, stoi: _trigrams(words, stoi, order=(2, 1, 0)),
            message="The last axis is the character that follows; the first is the oldest.",
        ),
        Mistake(
            name="= for +=",
            answer=_seen,
            message="Every trigram counts once, however often it came: each time one must be added.",
        ),
    ),
    hints=(
        "Start from an array of zeros with three axes of length len(stoi).",
        'For each word, go along list(".." + word + ".") in threes: zip(s, s[1:], s[2:]).',
        "counts[stoi[a], stoi[b], stoi[c]] += 1",
    ),
    look="the picture of the bigram counts: row 0 is how words begin, column 0 how they end. Is yours empty there?",
)


# -- 2.2: split -------------------------------------------------------------------------------------------------------


def _lists(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [{"words": [f"w{i:04d}" for i in range(count)], "seed": seed} for count, seed in ((1002, 1), (208, 7))]


def _facts(answer: Callable[..., Any], case: Case) -> Any:
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


def _split(
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
    id="2.2",
    title="Split 80 / 10 / 10",
    answer="split",
    task="""\
Write `split(words, seed)`. Shuffle the words and return three lists: train, dev and test. Train ends at `int(0.8 *
n)` and dev at `int(0.9 * n)` of n words. The same seed gives the same three lists. Which word goes where is up to
you: the check looks at what must be true of any split.""",
    cases=_lists,
    solution=_split,
    use=_facts,
    mistakes=(
        Mistake(
            name="not shuffled",
            answer=lambda words, seed: _split(words, seed, shuffled=False),
            message="The list may be sorted. Then test holds words unlike those in train, and its loss says nothing.",
        ),
        Mistake(
            name="parts overlap",
            answer=_drawn,
            message="A word that is in train and in test was learnt by heart: shuffle once, then cut.",
        ),
        Mistake(
            name="dev begins at the start",
            answer=lambda words, seed: _split(words, seed, from_start=True),
            message="Dev is what lies between the two cuts, words[n1:n2]. It has no word of train.",
        ),
        Mistake(
            name="80 / 20 / 0",
            answer=lambda words, seed: _split(words, seed, cuts=(0.8, 1.0)),
            message="Nothing is left for test. Dev is what settings are chosen by, so it cannot judge them.",
        ),
        Mistake(
            name="train holds 90 %",
            answer=lambda words, seed: _split(words, seed, cuts=(0.9, 0.95)),
            message="The two cuts are at 80 % and at 90 % of the words.",
        ),
    ),
    hints=(
        "random.Random(seed).shuffle(words) shuffles a list in place, the same way for the same seed. Copy it first.",
        "n1 = int(0.8 * len(words)) and n2 = int(0.9 * len(words)).",
        "Train is words[:n1], dev is words[n1:n2], test is words[n2:].",
    ),
    look="the sizes of your three lists, and the first words of each: do they come from all of the alphabet?",
)


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


def _rows_sum(smoothed: FloatArray, train: IntArray, k: float) -> FloatArray:
    del train, k
    rows: FloatArray = smoothed.sum(1, keepdims=True)
    return rows


def _losses(
    train: IntArray, dev: IntArray, ks: list[float], *, below: Callable[..., FloatArray] = _rows_sum,
    sign: float = -1.0, mean: bool = True, on_train: bool = False, pick: Callable[[Any], Any] = np.argmin,
) -> tuple[FloatArray, float]:  # fmt: skip
    judged = train if on_train else dev
    losses = []
    for k in ks:
        probs = (train + k) / below(train + k, train, k)
        nats = sign * (judged * np.log(probs)).sum()
        losses.append(nats / judged.sum() if mean else nats)
    return np.array(losses), ks[int(pick(losses))]


SMOOTHING = Exercise(
    id="2.3",
    title="Smoothing, tuned on dev",
    answer="tune_smoothing",
    task="""\
Write `tune_smoothing(train, dev, ks)`. `train` and `dev` are arrays (V, V) of pairs counted in the two parts; row: the
first character. For each `k` in `ks`, add `k` to every count of `train` and divide each row by its sum: these are the
probabilities. The loss of `k` is the mean of -log p over all pairs of `dev`, each as often as it was counted. Return an
array of all the losses, and the `k` with the lowest.""",
    cases=_tables,
    solution=_losses,
    parts=("the losses", "the best k"),
    mistakes=(
        Mistake(
            name="judged on train",
            answer=lambda **case: _losses(**case, on_train=True),
            message="On train less smoothing is always better: it was counted there. What was never seen is in dev.",
        ),
        Mistake(
            name="divided by columns' sums",
            answer=lambda **case: _losses(**case, below=lambda smoothed, train, k: smoothed.sum(0, keepdims=True)),
            message="A row is what may follow its character, so the row must sum to 1: sum over axis 1.",
        ),
        Mistake(
            name="forgot keepdims",
            answer=lambda **case: _losses(**case, below=lambda smoothed, train, k: smoothed.sum(1)),
            message="A sum of shape (V,) is laid along the columns: each column is divided, not each row. Keep (V, 1).",
        ),
        Mistake(
            name="k is not in the sum below",
            answer=lambda **case: _losses(
                **case, below=lambda smoothed, train, k: np.maximum(train.sum(1, keepdims=True), 1)
            ),
            message="k is added above but not below: the rows sum to more than 1. Add first, then take the sum.",
        ),
        Mistake(
            name="sum for mean",
            answer=lambda **case: _losses(**case, mean=False),
            message="That is the loss of all pairs together: divide by how many there are, dev.sum().",
        ),
        Mistake(
            name="the place of the best k",
            answer=lambda train, dev, ks: (
                _losses(train, dev, ks)[0],
                float(np.argmin(_losses(train, dev, ks)[0])),
            ),
            message="np.argmin gives the place of the lowest loss. The k that stands there is ks[place].",
        ),
        Mistake(
            name="not weighed by dev",
            answer=lambda train, dev, ks: (
                found := np.array([-np.log((train + k) / (train + k).sum(1, keepdims=True)).mean() for k in ks]),
                ks[int(np.argmin(found))],
            ),
            message="Each pair costs as often as it was counted in dev: a pair that came 5 times costs 5 times -log p.",
        ),
        Mistake(
            name="the highest loss",
            answer=lambda **case: _losses(**case, pick=np.argmax),
            message="The best k is the one with the lowest loss.",
        ),
        Mistake(
            name="log without minus",
            answer=lambda **case: _losses(**case, sign=1.0),
            message="Logs of probabilities are below 0. The loss is their negative, and small is good.",
        ),
    ),
    hints=(
        "For one k: probs = train + k; divide by probs.sum(1, keepdims=True).",
        "A pair that was counted 5 times in dev costs 5 times -log p: multiply dev by the logs, and sum.",
        "loss = -(dev * np.log(probs)).sum() / dev.sum(); the best k stands where np.argmin(losses) points.",
    ),
    look="the picture of the loss over k: train only rises with k; dev falls first.",
)


# -- 2.4: one-hot and indexing ----------------------------------------------------------------------------------------


def _layers(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"W": rng.normal(size=(V, V)), "ids": np.array(ids), "dlogits": rng.normal(size=(len(ids), V))}
        for V, ids in ((5, [0, 3, 3, 1]), (4, [2, 2, 2, 2, 0, 1]))
    ]


def _by_index(W: FloatArray, ids: IntArray, dlogits: FloatArray) -> tuple[FloatArray, FloatArray]:
    dW = np.zeros_like(W)
    np.add.at(dW, ids, dlogits)
    return W[ids], dW


def _last_only(W: FloatArray, ids: IntArray, dlogits: FloatArray) -> tuple[FloatArray, FloatArray]:
    dW = np.zeros_like(W)
    dW[ids] += dlogits
    return W[ids], dW


def _columns(W: FloatArray, ids: IntArray, dlogits: FloatArray) -> tuple[FloatArray, FloatArray]:
    return W[:, ids], _by_index(W, ids, dlogits)[1]


def _transposed(W: FloatArray, ids: IntArray, dlogits: FloatArray) -> tuple[FloatArray, FloatArray]:
    return W.T[ids], _by_index(W, ids, dlogits)[1].T


def _not_placed(W: FloatArray, ids: IntArray, dlogits: FloatArray) -> tuple[FloatArray, FloatArray]:
    return W[ids], dlogits


INDEXING = Exercise(
    id="2.4",
    title="Index, not one-hot",
    answer="layer_by_index",
    task="""\
`one_hot(ids) @ W` multiplies mostly by zeros. Write `layer_by_index(W, ids, dlogits)`, which has no one-hot vectors.
`W` is an array (V, V), `ids` (N,) whole numbers, `dlogits` (N, V) the gradient that comes back. Return two arrays: the
logits, (N, V), which are what `one_hot(ids) @ W` would be; and the gradient of `W`, (V, V), which is what
`one_hot(ids).T @ dlogits` would be. An id may stand in `ids` twice.""",
    cases=_layers,
    solution=_by_index,
    parts=("the logits", "W's gradient"),
    mistakes=(
        Mistake(
            name="= for += where an index repeats",
            answer=_last_only,
            message="dW[ids] += dlogits writes each row once: of an id that stands there twice only the last is kept. "
            "A row that was used twice gets two gradients, and they add.",
        ),
        Mistake(
            name="columns for rows",
            answer=_columns,
            message="W[:, ids] picks columns. A one-hot vector on the left of W picks a row.",
        ),
        Mistake(
            name="transposed product",
            answer=_transposed,
            message="W is used the wrong way round: one_hot @ W picks rows of W, not of W.T.",
        ),
        Mistake(
            name="the gradient is not put in its rows",
            answer=_not_placed,
            message="dlogits has a row for each example, W a row for each character: each row of dlogits is added to "
            "the row of W that its example used.",
        ),
    ),
    hints=(
        "One-hot times W picks a row. NumPy picks rows by W[ids].",
        "Backward: the row that was picked gets the gradient of the row that it became. All other rows get 0.",
        "np.add.at(dW, ids, dlogits) adds also where an index repeats; so does a loop over the examples.",
    ),
    look="the picture of W's gradient in the lesson: only rows of characters that stood in the batch are lit.",
)


# -- 2.5: cross-entropy -----------------------------------------------------------------------------------------------


def _scores(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"logits": rng.normal(0, 2, (4, 5)), "targets": np.array([1, 0, 4, 4])},
        {"logits": rng.normal(0, 1, (6, 6)), "targets": rng.integers(0, 6, 6)},
        {"logits": np.array([[1000.0, 1001.0, 0.0], [-1000.0, -1001.0, -999.0]]), "targets": np.array([0, 1])},
    ]


def _nats(logits: FloatArray, targets: IntArray, *, axis: int = 1) -> FloatArray:
    shifted = logits - logits.max(axis, keepdims=True)
    logprobs = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    nats: FloatArray = -logprobs[np.arange(len(targets)), targets]
    return nats


def _unshifted(logits: FloatArray, targets: IntArray) -> float:
    counts = np.exp(logits)
    probs = counts / counts.sum(1, keepdims=True)
    return float(-np.log(probs[np.arange(len(targets)), targets]).mean())


CROSS_ENTROPY = Exercise(
    id="2.5",
    title="Cross-entropy",
    answer="cross_entropy",
    task="""\
Write `cross_entropy(logits, targets)`. `logits` is an array (N, V), `targets` (N,) whole numbers. Return one
number: the mean over the rows of -log p, where p is softmax of the row at its target. Use NumPy only; logits of
1000 are allowed.""",
    cases=_scores,
    solution=lambda logits, targets: _nats(logits, targets).mean(),
    mistakes=(
        Mistake(
            name="overflow",
            answer=_unshifted,
            message="e to the 1000 is more than a float holds. Softmax is the same if the largest logit of each row "
            "is subtracted first: then the largest is 0.",
        ),
        Mistake(
            name="sum for mean",
            answer=lambda logits, targets: _nats(logits, targets).sum(),
            message="That is the loss of all rows together, which grows with the batch. Take the mean.",
        ),
        Mistake(
            name="no mean",
            answer=_nats,
            message="That is a loss for each row. Cross-entropy is their mean, one number.",
        ),
        Mistake(
            name="log without minus",
            answer=lambda logits, targets: -_nats(logits, targets).mean(),
            message="The log of a probability is below 0. The loss is its negative.",
        ),
        Mistake(
            name="softmax over the wrong axis",
            answer=lambda logits, targets: _nats(logits, targets, axis=0).mean(),
            message="Each row is a distribution over characters: sum over axis 1, and keep it as (N, 1).",
        ),
        Mistake(
            name="log of the mean",
            answer=lambda logits, targets: -np.log(np.exp(-_nats(logits, targets)).mean()),
            message="Take the log of each probability first, then the mean: the log of a mean is something else.",
        ),
        Mistake(
            name="log to the base 2",
            answer=lambda logits, targets: _nats(logits, targets).mean() / np.log(2),
            message="That is in bits. The natural log, np.log, gives nats.",
        ),
        Mistake(
            name="no softmax",
            answer=lambda logits, targets: -logits[np.arange(len(targets)), targets].mean(),
            message="Logits are log counts; they become log probabilities when the log of their row's sum is "
            "subtracted.",
        ),
    ),
    hints=(
        "Four steps: counts = e to the logits; probs = counts / the row's sum; p = probs at the targets; -log p, mean.",
        "probs[np.arange(N), targets] picks one probability from each row.",
        "For large logits: subtract logits.max(1, keepdims=True) first.",
        "Better still: log p = shifted logit - log(sum of e to the shifted). No probability is rounded to 0 then.",
    ),
    look="backlight explain 'o = log(exp(a) + exp(b)) - a' --at a=1,b=2: each slope is a probability.",
)


# -- 2.6: n-grams -----------------------------------------------------------------------------------------------------


def _orders(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = ["".join(rng.choice(list("abc"), rng.integers(1, 6))) for _ in range(20)]
    return [{"words": _WORDS, "n": 3}, {"words": _WORDS, "n": 1}, {"words": drawn, "n": 2}, {"words": drawn, "n": 5}]


def _ngrams(words: list[str], n: int, *, dots: int | None = None, end: str = ".", once: bool = False) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for word in words:
        text = "." * (n - 1 if dots is None else dots) + word + end
        found = [text[i : i + n] for i in range(len(text) - n + 1)]
        counts.update(set(found) if once else found)
    return dict(counts)


def _counted(answer: Callable[..., Any], case: Case) -> Any:
    """Return how many n-grams an answer counted, and how often each that there is."""
    counts = call(answer, case)
    if not isinstance(counts, dict):
        return counts
    told = {("".join(key) if isinstance(key, tuple) else str(key)): count for key, count in counts.items()}
    return {
        "how many n-grams there are in all": sum(told.values()),
        "how many different ones": sum(count != 0 for count in told.values()),
        "how often each occurs, in the alphabet's order": [told.get(key, 0) for key in sorted(_ngrams(**case))],
    }


NGRAM = Exercise(
    id="2.6",
    title="Count n-grams",
    answer="ngram_counts",
    task="""\
Write `ngram_counts(words, n)` for any n from 1. Return a dictionary: for each n-gram, a string of n characters, how
often it occurs. Before a word stand n - 1 dots, after it stands one. So every letter, and every end, is counted
once.""",
    cases=_orders,
    solution=_ngrams,
    use=_counted,
    mistakes=(
        Mistake(
            name="one dot in front",
            answer=lambda words, n: _ngrams(words, n, dots=1),
            message="Whatever n is, the first letter needs n - 1 characters before it: none for n = 1, four for n = 5.",
        ),
        Mistake(
            name="the end is not counted",
            answer=lambda words, n: _ngrams(words, n, end=""),
            message="That a word ends is a prediction, too: a dot follows its last letter.",
        ),
        Mistake(
            name="n dots in front",
            answer=lambda words, n: _ngrams(words, n, dots=n),
            message="n dots in front make an n-gram of nothing but dots, which predicts a dot that is no end.",
        ),
        Mistake(
            name="one word after the other",
            answer=lambda words, n: _ngrams([".".join(words)], n),
            message="The words were joined to one text, so that n-grams reach from one into the next. Take each by "
            "itself.",
        ),
        Mistake(
            name="once a word",
            answer=lambda words, n: _ngrams(words, n, once=True),
            message="An n-gram that comes twice in a word counts twice.",
        ),
        Mistake(
            name="no dots at all",
            answer=lambda words, n: _ngrams(words, n, dots=0, end=""),
            message="How words begin and how they end is not counted: put dots around each.",
        ),
    ),
    hints=(
        'One word: text = "." * (n - 1) + word + ".". How many pieces of n characters does it have?',
        "The pieces are text[i : i + n] for i from 0 to len(text) - n.",
        "counts[piece] = counts.get(piece, 0) + 1",
    ),
    look="the table of 1-grams to 5-grams at the end of the lesson: as many n-grams in all as letters and ends, "
    "whatever n.",
)

EXERCISES = (TRIGRAM, SPLIT, SMOOTHING, INDEXING, CROSS_ENTROPY, NGRAM)
