"""Lesson 2: counting, splitting, smoothing, one-hot and indexing, cross-entropy."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import last_only, softmax

_WORDS = ["emma", "ava", "mia", "anna", "eve", "mae", "ana", "emmie"]


def _numbers(words: Sequence[str]) -> dict[str, int]:
    return {".": 0, **{letter: i for i, letter in enumerate(sorted(set("".join(words))), 1)}}


# -- 2.1: trigrams ----------------------------------------------------------------------------------------------------


def _spelled(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = ["".join(rng.choice(list("abcd"), rng.integers(1, 7))) for _ in range(30)]
    return [{"words": words, "stoi": _numbers(words)} for words in ([*_WORDS], drawn, ["a"])]


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
              says="With a single dot in front, the first letter is never predicted: it needs two characters before "
                   "it."),
        wrong("the end is not counted", after="",
              says="The end of a word is a prediction, too: a dot follows the last letter."),
        wrong("two dots at the end", after="..",
              says="A word ends once. The second dot would be predicted after the word has already ended."),
        wrong("no dots at all", before="", after="",
              says="The beginnings and ends of words are not counted: put dots around each word."),
        wrong("axes in another order", order=(1, 0, 2),
              says="The first axis is the older of the two preceding characters."),
        wrong("axes reversed", order=(2, 1, 0),
              says="The last axis is the character that comes next; the first is the oldest one."),
        wrong("= for +=", lambda words, stoi: (trigram_counts(words, stoi) > 0).astype(np.int64),
              says="Every trigram counts once, however often it occurs: add one at each occurrence."),
    ),
    hints=(
        "Start from an array of zeros with three axes of length len(stoi).",
        'For each word, take s = list(".." + word + ".") and go through its triples: zip(s, s[1:], s[2:]).',
        "counts[stoi[a], stoi[b], stoi[c]] += 1",
    ),
    look="the figure of the bigram counts: row 0 shows how words begin, column 0 how they end. Are yours empty?",
)  # fmt: skip


# -- 2.2: split -------------------------------------------------------------------------------------------------------


def _lists(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [{"words": [f"w{i:04d}" for i in range(count)], "seed": seed} for count, seed in ((1002, 1), (208, 7))]


def _facts(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return properties of a split that do not depend on how it was shuffled."""
    kept = list(case["words"])
    parts = call(answer, case)
    if parts is None or any(part is None for part in parts):
        return None
    if isinstance(parts, Mapping):
        parts = tuple(parts.values())
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
        "whether the parts stay the same if Python orders sets in another way": _does_not_ask_the_hash(
            answer, case, kept
        ),
        "whether the list that was passed is unchanged": list(case["words"]) == kept,
    }


class _Word(str):
    """A word whose hash is another one, as it is in another run of Python."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self[::-1] + "another run")


def _does_not_ask_the_hash(answer: Callable[..., Any], case: Inputs, kept: list[str]) -> bool:
    """Return whether words with other hashes are split in the same way: the order of a set depends on them."""
    first, second = (
        [[str(word) for word in part] for part in call(answer, {"words": words, "seed": case["seed"]})]
        for words in (list(kept), [_Word(word) for word in kept])
    )
    return first == second


def split(
    words: list[str], seed: int, *, shuffled: bool = True, cuts: tuple[float, float] = (0.8, 0.9),
    from_start: bool = False,
) -> tuple[list[str], list[str], list[str]]:  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(words)) if shuffled else np.arange(len(words))
    first, second = (int(cut * len(words)) for cut in cuts)
    mixed = [words[i] for i in order]
    return mixed[:first], mixed[0 if from_start else first : second], mixed[second:]


def _drawn(words: list[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Return three samples of the right sizes, each drawn independently from all words."""
    rng = np.random.default_rng(seed)
    first, second = int(0.8 * len(words)), int(0.9 * len(words))
    sizes = (first, second - first, len(words) - second)
    train, dev, test = ([words[i] for i in rng.permutation(len(words))[:size]] for size in sizes)
    return train, dev, test


def _in_place(words: list[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    parts = split(words, seed)
    words[:] = [word for part in parts for word in part]
    return parts


SPLIT = Exercise(
    cases=_lists,
    solution=split,
    use=_facts,
    properties=True,
    mistakes=(
        wrong("not shuffled", shuffled=False,
              says="The list may be sorted. Then the words of test differ from those of train, and its loss is "
                   "meaningless."),
        wrong("the seed is not used", lambda words, seed: split(words, int(np.random.default_rng().integers(2**32))),
              says="Two calls with the same seed gave different parts: make the generator from the seed, in the "
                   "function."),
        wrong("the order of a set", lambda words, seed: split(list(set(words)), seed),
              says="A set has no order of its own: Python's differs from run to run, so the same seed gives other "
                   "parts "
                   "tomorrow. Shuffle the list, or sort the set first."),
        wrong("the list that was passed is shuffled", _in_place,
              says="random.shuffle works in place, so the caller's words are in another order now. Copy the list "
                   "first: "
                   "words = list(words)."),
        wrong("parts overlap", _drawn,
              says="A word in both train and test has already been seen in training: shuffle once, then cut."),
        wrong("dev includes train", from_start=True,
              says="Dev lies between the two cuts, words[n1:n2], and has no word in common with train."),
        wrong("80 / 20 / 0", cuts=(0.8, 1.0),
              says="Nothing is left for test. Settings are chosen on dev, so dev cannot measure how good they are."),
        wrong("train holds 90 %", cuts=(0.9, 0.95), says="The cuts are at 80 % and 90 % of the words."),
    ),
    hints=(
        "random.Random(seed).shuffle(words) shuffles a list in place, the same way for the same seed. Copy it first.",
        "n1 = int(0.8 * len(words)) and n2 = int(0.9 * len(words)).",
        "Train is words[:n1], dev is words[n1:n2], test is words[n2:].",
    ),
    look="the sizes of your three lists, and the first words of each: do they come from all over the alphabet?",
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
    weights: Callable[..., IntArray] | None = lambda train, dev: dev, smoothed_dev: bool = False,
    best: Callable[..., float] = lambda losses, ks: ks[int(np.argmin(losses))],
) -> tuple[FloatArray, float]:  # fmt: skip
    losses = []
    for k in ks:
        counts = weights(train, dev) if weights is not None and not smoothed_dev else dev + k
        probs = (train + k) / below(train + k, train)
        nats = sign * (counts * np.log(probs)).sum()
        losses.append(nats / counts.sum() if mean else nats)
    return np.array(losses), best(losses, ks)


SMOOTHING = Exercise(
    cases=_tables,
    solution=tune_smoothing,
    parts=("the losses", "the best k"),
    mistakes=(
        wrong("evaluated on train", weights=lambda train, dev: train,
              says="You evaluated on train, where less smoothing is always better, since the counts come from there. "
                   "Unseen pairs occur only in dev."),
        wrong("divided by column sums", below=lambda smoothed, train: smoothed.sum(0, keepdims=True),
              says="A row is the distribution of the next character, so it must sum to 1: sum over axis 1."),
        wrong("dev is smoothed, too", weights=None, smoothed_dev=True,
              says="k was also added to the counts of dev. Dev measures: its counts are taken as they are."),
        wrong("forgot keepdims", below=lambda smoothed, train: smoothed.sum(1),
              says="A sum of shape (V,) broadcasts along the rows, so it divides the columns. Keep the shape (V, 1)."),
        wrong("k is not in the denominator", below=lambda smoothed, train: np.maximum(train.sum(1, keepdims=True), 1),
              says="k is added to the counts but not to their sum, so the rows sum to more than 1. Add k first, then "
                   "sum."),
        wrong("sum for mean", mean=False,
              says="That is the total loss over all pairs: divide by their number, dev.sum()."),
        wrong("the index of the best k", best=lambda losses, ks: float(np.argmin(losses)),
              says="np.argmin returns the index of the lowest loss. The best k is ks[index]."),
        wrong("not weighted by dev", weights=lambda train, dev: np.ones_like(dev),
              says="Weight each pair by its count in dev: a pair that occurred 5 times costs 5 times -log p."),
        wrong("the highest loss", best=lambda losses, ks: ks[int(np.argmax(losses))],
              says="The best k is the one with the lowest loss."),
        wrong("log without minus", sign=1.0,
              says="Logs of probabilities are negative. The loss is the negative of their mean, and smaller is "
                   "better."),
    ),
    hints=(
        "For one k: probs = train + k; divide by probs.sum(1, keepdims=True).",
        "A pair with count 5 in dev costs 5 times -log p: multiply dev by the logs, and sum.",
        "loss = -(dev * np.log(probs)).sum() / dev.sum(); the best k is ks[np.argmin(losses)].",
    ),
    look="the figure of the loss over k: train only rises with k; dev falls first.",
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
              says="dW[ids] += dlogits writes each row only once: if an id occurs twice, only its last gradient is "
                   "kept. The gradients of a row that was used twice must add up."),
        wrong("columns for rows", lambda W, ids, dlogits: (W[:, ids], layer_by_index(W, ids, dlogits)[1]),
              says="W[:, ids] selects columns. A one-hot vector times W selects a row."),
        wrong("transposed product", lambda W, ids, dlogits: (W.T[ids], layer_by_index(W, ids, dlogits)[1].T),
              says="W is transposed: one_hot @ W selects rows of W, not of W.T."),
        wrong("the gradient is not added into its rows", lambda W, ids, dlogits: (W[ids], dlogits),
              says="dlogits has a row for each example, and W a row for each character: add each row of dlogits to "
                   "the row of W that its example used."),
    ),
    hints=(
        "One-hot times W selects a row. NumPy selects rows by W[ids].",
        "Backward: a selected row gets the gradient of the logits that it became. All other rows get 0.",
        "np.add.at(dW, ids, dlogits) also adds where an index repeats; so does a loop over the examples.",
    ),
    look="the figure of W's gradient in the lesson: only the rows of characters that occur in the batch are nonzero.",
)  # fmt: skip


# -- 2.5: cross-entropy -----------------------------------------------------------------------------------------------


def _scores(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"logits": rng.normal(0, 2, (4, 5)), "targets": np.array([1, 0, 4, 4])},
        {"logits": rng.normal(0, 1, (6, 6)), "targets": rng.integers(0, 6, 6)},
        {"logits": np.array([[1000.0, 1001.0, 0.0], [-1000.0, -1001.0, -999.0]]), "targets": np.array([0, 1])},
        {"logits": np.array([[1000.0, 1001.0, 0.0]]), "targets": np.array([0])},
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
        wrong("overflow in the sum",
              lambda logits, targets: np.mean(np.log(np.exp(logits).sum(1)) - logits[range(len(targets)), targets]),
              says="e to the power of 1000 overflows, and the log of the sum is infinite. Subtract the largest "
                   "logit of "
                   "each row first: then the largest is 0."),
        wrong("overflow", _unshifted,
              says="e to the power of 1000 overflows. Softmax does not change if the largest logit of each row is "
                   "subtracted first: then the largest is 0."),
        wrong("the largest of the whole batch subtracted",
              lambda logits, targets: _unshifted(logits - logits.max(), targets),
              says="In a row far below the largest logit of the batch, all exponentials become 0, and log 0 is "
                   "infinite. "
                   "Subtract the largest logit of each row: max(1, keepdims=True)."),
        wrong("softmax taken twice", lambda logits, targets: cross_entropy(softmax(logits), targets),
              says="The probabilities went through softmax once more, as when F.cross_entropy gets probabilities. Its "
                   "input "
                   "is logits."),
        wrong("every row's loss at every target", lambda logits, targets: cross_entropy(
                  np.repeat(logits, len(targets), 0), np.tile(targets, len(targets))),
              says="[:, targets] selects these columns in every row. For one element per row, use [np.arange(N), "
                   "targets]."),
        wrong("sum for mean", over_rows=np.sum,
              says="That is the total loss over all rows, which grows with the batch size. Take the mean."),
        wrong("no mean", over_rows=lambda nats: nats,
              says="That is one loss per row. Cross-entropy is their mean, a single number."),
        wrong("log without minus", over_rows=lambda nats: -nats.mean(),
              says="The log of a probability is negative. The loss is the negative of it."),
        wrong("softmax over the wrong axis", axis=0,
              says="Each row is a distribution over characters: sum over axis 1, with keepdims, to get (N, 1)."),
        wrong("log of the mean", over_rows=lambda nats: -np.log(np.exp(-nats).mean()),
              says="Take the log of each probability first, then the mean: the log of a mean is not the mean of the "
                   "logs."),
        wrong("log to the base 2", over_rows=lambda nats: nats.mean() / np.log(2),
              says="That is in bits. The natural log, np.log, gives nats."),
        wrong("no softmax", lambda logits, targets: -logits[np.arange(len(targets)), targets].mean(),
              says="Logits are log counts; to make them log probabilities, subtract the log of the sum of the "
                   "exponentials of their row."),
    ),
    hints=(
        "Four steps: counts = exp of the logits; probs = counts / row sums; p = probs at the targets; mean of -log p.",
        "probs[np.arange(N), targets] selects one probability from each row.",
        "For large logits: subtract logits.max(1, keepdims=True) first.",
        "Better still: log p = shifted logit - log(sum of exp of the shifted). Then no probability is rounded to 0.",
    ),
    look="backlight explain 'o = log(exp(a) + exp(b)) - a' --at a=1,b=2: each slope is a probability.",
)  # fmt: skip


# -- 2.6: n-grams -----------------------------------------------------------------------------------------------------


def _orders(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = ["".join(rng.choice(list("abc"), rng.integers(1, 6))) for _ in range(20)]
    return [{"words": list(words), "n": n} for words, n in ((_WORDS, 3), (_WORDS, 1), (drawn, 2), (drawn, 5))]


def ngram_counts(
    words: list[str], n: int, *, dots: Callable[[int], int] = lambda n: n - 1, end: str = ".", once: bool = False
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for word in words:
        text = "." * dots(n) + word + end
        found = [text[i : i + n] for i in range(len(text) - n + 1)]
        counts.update(set(found) if once else found)
    return dict(counts)


def _in_a_text(text: str, n: int) -> dict[str, int]:
    return dict(Counter(text[i : i + n] for i in range(len(text) - n + 1)))


def _counted(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return the total number of n-grams that an answer counted, of different ones, and the count of each."""
    right = sorted(ngram_counts(**case))
    counts = call(answer, case)
    if not isinstance(counts, dict):
        return counts
    found = {("".join(key) if isinstance(key, tuple) else str(key)): count for key, count in counts.items()}
    return {
        "the total number of n-grams": sum(found.values()),
        "the number of different n-grams": sum(count != 0 for count in found.values()),
        "the count of each, in alphabetical order": [found.get(key, 0) for key in right],
    }


NGRAM = Exercise(
    cases=_orders,
    solution=ngram_counts,
    use=_counted,
    mistakes=(
        wrong("one dot in front", dots=lambda n: 1,
              says="Whatever n is, the first letter needs n - 1 characters before it: none for n = 1, four for n = 5."),
        wrong("the end is not counted", end="",
              says="The end of a word is a prediction, too: a dot follows the last letter."),
        wrong("n dots in front", dots=lambda n: n,
              says="With n dots in front, there is an n-gram of dots only. It predicts a dot where no word ends."),
        wrong("one text with single dots between the words", lambda words, n: _in_a_text(".".join(["", *words, ""]), n),
              says="The words were joined into one text, so some n-grams span two words. Count within each word "
                   "separately, with n - 1 dots before it."),
        wrong("words joined into one text", lambda words, n: ngram_counts([".".join(words)], n),
              says="The words were joined into one text, so some n-grams span two words. Count within each word "
                   "separately."),
        wrong("once a word", once=True, says="An n-gram that occurs twice in a word counts twice."),
        wrong("no dots at all", dots=lambda n: 0, end="",
              says="The beginnings and ends of words are not counted: put dots around each word."),
    ),
    hints=(
        'One word: text = "." * (n - 1) + word + ".". How many pieces of n characters does it have?',
        "The pieces are text[i : i + n] for i from 0 to len(text) - n.",
        "counts[piece] = counts.get(piece, 0) + 1",
    ),
    look="the table of 1-grams to 5-grams at the end of the lesson: whatever n, the total number of n-grams is that "
         "of the letters and ends.",
)  # fmt: skip

EXERCISES = (TRIGRAM, SPLIT, SMOOTHING, INDEXING, CROSS_ENTROPY, NGRAM)
