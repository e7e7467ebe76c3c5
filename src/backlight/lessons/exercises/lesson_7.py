"""Lesson 7: attention for all heads at once, addition as a text, weights moved to another text, rotary positions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import softmax

# -- 7.1: all heads at once -------------------------------------------------------------------------------------------


def _texts(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "x": rng.normal(size=(B, T, C)),
            **{name: rng.normal(size=(C, C)) / np.sqrt(C) for name in ("Wq", "Wk", "Wv")},
            "heads": heads,
        }
        for B, T, C, heads in ((2, 5, 12, 3), (3, 6, 8, 2), (1, 4, 6, 1))
    ]


def _apart(y: FloatArray, heads: int) -> FloatArray:
    """Return (B, T, C) as (B, H, T, D)."""
    B, T, C = y.shape
    return y.reshape(B, T, heads, C // heads).swapaxes(1, 2)


def _together(y: FloatArray) -> FloatArray:
    """Return (B, H, T, D) as (B, T, C)."""
    B, H, T, D = y.shape
    return y.swapaxes(1, 2).reshape(B, T, H * D)


def all_heads(
    x: FloatArray, Wq: FloatArray, Wk: FloatArray, Wv: FloatArray, heads: int, *,
    apart: Callable[[FloatArray, int], FloatArray] = _apart,
    together: Callable[[FloatArray], FloatArray] = _together,
    seen: Callable[[int], FloatArray] = lambda T: np.tril(np.ones((T, T))), late: bool = False,
    scale: Callable[[int, int], float] = lambda C, D: D**-0.5, axis: int = -1,
    swapped: bool = False,
) -> FloatArray:  # fmt: skip
    T, C = x.shape[1:]
    q, k, v = (apart(x @ W, heads) for W in (Wq, Wk, Wv))
    scores = q @ k.swapaxes(-2, -1) * scale(C, C // heads)
    if swapped:
        scores = scores.swapaxes(-2, -1)
    visible = seen(T) > 0
    weights = softmax(scores, axis) * visible if late else softmax(np.where(visible, scores, -np.inf), axis)
    return together(weights @ v)


HEADS = Exercise(
    cases=_texts,
    solution=all_heads,
    mistakes=(
        wrong("heads and channels mixed up", apart=lambda y, heads: y.reshape(len(y), heads, y.shape[1], -1),
              says="You reshaped (B, T, C) directly to (B, heads, T, D). The shape is right, but the numbers are in "
                   "the wrong places: reshape keeps their order in memory. Split C into (heads, D) first, then swap "
                   "the axes."),
        wrong("heads put together in the wrong order", together=lambda y: y.reshape(len(y), y.shape[2], -1),
              says="You reshaped (B, heads, T, D) directly to (B, T, C). Swap the axes back first, so that heads and "
                   "channels are adjacent; then reshape merges them."),
        wrong("heads interleaved", apart=lambda y, heads: y.reshape(*y.shape[:2], -1, heads).transpose(0, 3, 1, 2),
              says="The columns of the heads are interleaved. The columns of a head must be adjacent: split C into "
                   "(heads, D), with the heads first."),
        wrong("heads summed, not concatenated", together=lambda y: y.sum(1),
              says="Each head keeps its own D channels: concatenate the results, which gives C channels again."),
        wrong("all weights transposed",
              lambda **case: all_heads(**{**case, **{W: case[W].T for W in ("Wq", "Wk", "Wv")}}),
              says="nn.Linear keeps its weight transposed and computes x @ W.T. Here it is x @ W."),
        wrong("the input is added", lambda **case: case["x"] + all_heads(**case),
              says="The residual connection belongs to the block around the attention. Here only the heads' outputs "
                   "are "
                   "returned."),
        wrong("no mask", seen=lambda T: np.ones((T, T)),
              says="Every position reads the whole text, including the letter that it should predict."),
        wrong("sees the future", seen=lambda T: np.triu(np.ones((T, T))),
              says="The mask is on the wrong side: positions read what comes after them. Row t may use columns 0 to "
                   "t, the lower triangle."),
        wrong("may not read itself", seen=lambda T: np.tril(np.ones((T, T)), -1),
              says="The diagonal is masked, too. A position may read itself, and the first one can read nothing else."),
        wrong("masked after the softmax", late=True,
              says="You set weights to 0 after the softmax, so the rows no longer sum to 1. Set the scores to -inf "
                   "instead, and softmax distributes 1 among the rest."),
        wrong("no scale", scale=lambda C, D: 1.0,
              says="The variance of the scores grows with D: divide them by √D before the softmax."),
        wrong("scaled by C, not by the head size", scale=lambda C, D: C**-0.5,
              says="A score is a sum over the D channels of one head, not over all C channels: divide by √D."),
        wrong("divided by D, not by its square root", scale=lambda C, D: 1 / D,
              says="The variance grows with D, so the standard deviation grows with √D: divide by √D."),
        wrong("softmax over the wrong axis", axis=-2,
              says="A row of weights belongs to the position that reads, and must sum to 1: take softmax over the "
                   "last axis."),
        wrong("transposed product", swapped=True,
              says="Queries and keys are swapped: the scores are q @ k transposed, with one row per query."),
    ),
    hints=(
        "x @ Wq has the queries of all heads, (B, T, C). Make the heads a leading axis, like B: (B, heads, T, D).",
        "reshape(B, T, heads, D) splits the last axis; transpose(0, 2, 1, 3) then moves the heads forward.",
        "scores = q @ k.transpose(0, 1, 3, 2) / D**0.5, and np.where(np.tril(np.ones((T, T))) == 1, scores, -np.inf).",
        "After weights @ v: transpose(0, 2, 1, 3) again, and reshape(B, T, C).",
    ),
    look="the tables of scores and weights in the lesson: a row is the position that reads, a column the one that is "
         "read; the upper right is empty.",
)  # fmt: skip


# -- 7.2: addition as a text ------------------------------------------------------------------------------------------


def _sums(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    return [
        {"a": a, "b": b, "digits": digits}
        for a, b, digits in ((35, 48, 2), (4, 5, 2), (99, 61, 2), (123, 9, 3), (0, 4, 1))
    ]


def encode_sum(
    a: int, b: int, digits: int, *, total: Callable[[int, int], str] = lambda sum_, n: f"{sum_:0{n}d}"[::-1],
    number: Callable[[int, int], str] = lambda one, n: f"{one:0{n}d}", extra: int = 0, hidden: int = -1,
    shifted: bool = True,
) -> tuple[list[int], list[int]]:  # fmt: skip
    question = number(a, digits) + number(b, digits)
    ids = [int(digit) for digit in question + total(a + b, digits + 1)]
    asked = len(question) - 1 + extra
    y = (ids[1:] if shifted else ids[:-1])[asked:]
    return ids[:-1], [hidden] * asked + y


def _whole(a: int, b: int, digits: int) -> tuple[list[int], list[int]]:
    x, y = encode_sum(a, b, digits)
    return [*x, y[-1]], [*y, -1]


def _hidden_in_x(a: int, b: int, digits: int) -> tuple[list[int], list[int]]:
    x, _ = encode_sum(a, b, digits)
    _, y = encode_sum(a, b, digits, extra=1 - 2 * digits)
    return [-1] * (2 * digits - 1) + x[2 * digits - 1 :], y


ADDITION = Exercise(
    cases=_sums,
    solution=encode_sum,
    parts=("x", "y"),
    mistakes=(
        wrong("not reversed", total=lambda sum_, n: f"{sum_:0{n}d}",
              says="The sum begins with its highest digit, which depends on every carry. Write the ones digit first."),
        wrong("the digit for the carry is missing", total=lambda sum_, n: f"{sum_:0{n - 1}d}"[::-1],
              says="Two numbers of two digits may have a sum of three digits: pad every sum to digits + 1."),
        wrong("the sum is not padded", total=lambda sum_, n: str(sum_)[::-1],
              says="The sums have different lengths: pad every sum with zeros to digits + 1 digits before you "
                   "reverse it."),
        wrong("padded after reversing", total=lambda sum_, n: str(sum_)[::-1].zfill(n),
              says="The zeros are where the ones digit should be. Pad the sum on the left, then reverse it: the "
                   "zeros come last."),
        wrong("the numbers are not padded", number=lambda one, n: str(one),
              says="7 + 5 must look like 0 7 0 5. Otherwise nothing says where a ends and b begins."),
        wrong("the numbers are reversed, too", number=lambda one, n: f"{one:0{n}d}"[::-1],
              says="Only the sum is reversed. The numbers are read completely before the first digit is predicted."),
        wrong("x keeps the last digit", _whole,
              says="Nothing comes after the last digit, so there is nothing to predict: leave it out of x."),
        wrong("y is x, masked", shifted=False, extra=1,
              says="y is x with -1 for the question. At each position it must hold the *next* digit."),
        wrong("y is not shifted", shifted=False,
              says="y holds the digits of x itself. At each position it must hold the *next* digit."),
        wrong("the question is not masked", lambda **case: encode_sum(**case, extra=1 - 2 * case["digits"]),
              says="The digits of the question are targets. They cannot be predicted: set these positions to -1."),
        wrong("masked in x", _hidden_in_x, says="The model must read the question, so x keeps it. The -1 belong in y."),
        wrong("one too many is masked", extra=1,
              says="The first digit of the sum is not a target. It is predicted at the last digit of the question, "
                   "so that position must not be masked."),
        wrong("one too few is masked", extra=-1,
              says="The last digit of the question is a target. It is predicted at the position before it: mask that "
                   "one, too."),
        wrong("masked with -100", hidden=-100,
              says="-100 is what PyTorch's cross_entropy ignores by default. In this lesson it is -1."),
        wrong("masked with 0", hidden=0,
              says="0 is a digit, so the model would learn to write zeros there. Use -1 where there is no target."),
    ),
    hints=(
        'f"{7:03d}" is "007", and so is str(7).zfill(3). text[::-1] is the text reversed.',
        "Make a list of all digits as numbers. x is the list without its last element, y the list without its first.",
        "No position predicts the first digit of the question, so 2 * digits - 1 elements of y are -1.",
    ),
    look="the two rows that the lesson prints after the exercise: below each digit of x is the next digit.",
)  # fmt: skip


# -- 7.3: to another text ---------------------------------------------------------------------------------------------

_BY_CHARACTER = ("token.weight", "output.weight", "position.weight", "blocks.0.mlp.weight")


def _networks(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "old": _weights(len(old) + 1, 4, rng),
            "fresh": _weights(len(fresh) + 1, 4, rng),
            "old_characters": ["", *old],
            "fresh_characters": ["", *fresh],
        }
        for old, fresh in ((" Aabc", "abcde"), (" !abcxyz", "abz"))
    ]


def _weights(V: int, C: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    shapes = ((V, C), (C, V), (5, C), (C, 2 * C))
    return {name: rng.normal(size=shape) for name, shape in zip(_BY_CHARACTER, shapes, strict=True)}


Weights = Mapping[str, FloatArray]


def splice(
    old: Weights, fresh: Weights, old_characters: Sequence[str], fresh_characters: Sequence[str], *,
    body: bool = True, tables: tuple[str, ...] = ("token.weight", "output.weight"), unknown: float | None = None,
    ahead: int = 0,
) -> dict[str, FloatArray]:  # fmt: skip
    made = {name: (old[name] if body and name in _BY_CHARACTER[2:] else fresh[name]).copy() for name in _BY_CHARACTER}
    for name in tables:
        into, out_of = (made[name], old[name]) if name == "token.weight" else (made[name].T, old[name].T)
        for i, character in enumerate(fresh_characters):
            if character in old_characters:
                into[i] = out_of[(list(old_characters).index(character) - ahead) % len(old_characters)]
            elif unknown is not None:
                into[i] = unknown
    return made


def _by_index(old: Weights, fresh: Weights, old_characters: Sequence[str], fresh_characters: Sequence[str]) -> Weights:
    made = {name: (old if name in _BY_CHARACTER[2:] else fresh)[name].copy() for name in _BY_CHARACTER}
    both = min(len(old_characters), len(fresh_characters))
    made["token.weight"][:both] = old["token.weight"][:both]
    made["output.weight"][:, :both] = old["output.weight"][:, :both]
    return made


def _by_name(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return the arrays that an answer gives, those that belong to characters first."""
    made = call(answer, case)
    return {name: made[name] for name in _BY_CHARACTER if name in made} if isinstance(made, Mapping) else made


SPLICE = Exercise(
    cases=_networks,
    solution=splice,
    use=_by_name,
    mistakes=(
        wrong("by index, not by character", _by_index,
              says="Id 2 was copied to id 2. But in the other text id 2 is a different character: look up the "
                   "character of each id, and its index in the old list."),
        wrong("the old arrays unchanged", lambda old, **_: dict(old),
              says="The rows are still in the order of the old characters. What is the old id of each new character?"),
        wrong("the output's columns are fresh", tables=("token.weight",),
              says="The embedding is spliced, but the output layer is not: in output.weight each column belongs to a "
                   "character."),
        wrong("the characters' rows are fresh", tables=(),
              says="token.weight still has its fresh numbers, which the old layers were not trained with. Copy the "
                   "old rows of all characters that are in both lists."),
        wrong("unknown characters are 0", unknown=0.0,
              says="A character that is not in the old list keeps its fresh random numbers."),
        wrong("the layers are fresh", body=False,
              says="The weights of the characters are right, but the layers between them are fresh. All other arrays "
                   "must be the old ones."),
        wrong("off by one row", ahead=1,
              says='Each character got the numbers of its neighbour in the old list. The boundary "" is in both lists, '
                   "with id 0."),
    ),
    hints=(
        "Start with copies, {name: array.copy() for name, array in old.items()}, and replace two by fresh ones.",
        "Go through fresh_characters with enumerate: i is the new id. Is the character in old_characters?",
        'old_characters.index(character) is its old id j. Then new["token.weight"][i] = old["token.weight"][j].',
        'The output has columns: new["output.weight"][:, i] = old["output.weight"][:, j].',
    ),
    look="the three curves of the lesson: spliced by character, spliced by index, and from scratch.",
)  # fmt: skip


# -- 7.4: rotary positions --------------------------------------------------------------------------------------------


def _placed(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"x": rng.normal(size=(T, D)), "positions": np.array(positions), "base": base}
        for T, D, positions, base in ((4, 6, [0, 1, 2, 3], 100.0), (3, 8, [5, 9, 2], 10_000.0), (2, 4, [7, 7], 10.0))
    ]


def rotate(
    x: FloatArray, positions: IntArray, base: float, *, sign: float = 1.0, first: int = 0, halves: bool = False,
    rate: Callable[[IntArray, int], FloatArray] = lambda i, D: -2.0 * i / D, stretched: bool = False,
    added: bool = False, overwritten: bool = False,
) -> FloatArray:  # fmt: skip
    D = x.shape[1]
    i = np.arange(D // 2)
    angle = sign * (np.asarray(positions)[:, None] + first) * base ** rate(i, D)
    one, two = (i, i + D // 2) if halves else (2 * i, 2 * i + 1)
    cos, sin = np.cos(angle), np.sin(angle)
    y = np.empty_like(x)
    if added:
        y[:, one], y[:, two] = x[:, one] + sin, x[:, two] + cos
        return y
    y[:, one] = x[:, one] * cos - x[:, two] * sin * (-1 if stretched else 1)
    y[:, two] = (y if overwritten else x)[:, one] * sin + x[:, two] * cos
    return y


def _mixed(x: FloatArray, positions: IntArray, base: float) -> FloatArray:
    """Return neighbours rotated by angles in the order that fits halves."""
    half = np.asarray(positions)[:, None] * base ** (-2.0 * np.arange(x.shape[1] // 2) / x.shape[1])
    angle = np.concatenate([half, half], 1)
    turned = np.stack([-x[:, 1::2], x[:, 0::2]], -1).reshape(x.shape)
    y: FloatArray = x * np.cos(angle) + turned * np.sin(angle)
    return y


def _mixed_halves(x: FloatArray, positions: IntArray, base: float) -> FloatArray:
    """Return halves rotated by angles in the order that fits neighbours."""
    half = np.asarray(positions)[:, None] * base ** (-2.0 * np.arange(x.shape[1] // 2) / x.shape[1])
    angle = np.repeat(half, 2, 1)
    first, second = np.split(x, 2, 1)
    y: FloatArray = x * np.cos(angle) + np.concatenate([-second, first], 1) * np.sin(angle)
    return y


ROTARY = Exercise(
    cases=_placed,
    solution=rotate,
    mistakes=(
        wrong("halves for neighbours", halves=True,
              says="Channel i was paired with channel i + D / 2. That is an equally good choice, and some networks "
                   "make it; but here adjacent channels form a pair, x[:, 0::2] and x[:, 1::2]."),
        wrong("angles of halves, pairs of neighbours", _mixed,
              says="The cosines and sines were put behind each other, c0 c1 c0 c1, which fits pairs of halves; but "
                   "neighbours were rotated. For neighbours each angle stands twice in a row, c0 c0 c1 c1."),
        wrong("neighbours' angles, pairs of halves", _mixed_halves,
              says="Each angle stands twice in a row, which fits neighbours; but channel i was paired with channel i "
                   "+ D / 2."),
        wrong("rotated in the wrong direction", sign=-1.0,
              says="The minus belongs to the first number of the pair: a cos - b sin, and a sin + b cos."),
        wrong("not a rotation: both have a plus", stretched=True,
              says="Without the minus this is not a rotation: lengths change, and scores depend on more than the "
                   "distance."),
        wrong("computed from what was overwritten", overwritten=True,
              says="The second number of each pair was computed from the *new* value of the first. Keep both old "
                   "values until both new ones are computed."),
        wrong("all pairs rotate at the same speed", rate=lambda i, D: 0.0 * i,
              says="Each pair has its own speed, base ** (-2 * i / D): fast pairs distinguish small distances, slow "
                   "pairs large ones."),
        wrong("i for 2 * i", rate=lambda i, D: -1.0 * i / D,
              says="The exponent is -2 * i / D for pair i, so that it goes from 0 nearly to -1 over the D / 2 pairs."),
        wrong("faster and faster", rate=lambda i, D: 2.0 * i / D,
              says="The minus of the exponent is missing. Pair 0 rotates fastest, by p itself, and later pairs more "
                   "slowly."),
        wrong("positions begin at 1", first=1,
              says="Position 0 is not rotated at all: use the positions as given."),
        wrong("added, not rotated", added=True,
              says="Sines and cosines were added to the vectors, as in the original transformer. Here pairs are "
                   "rotated: multiply."),
    ),
    hints=(
        "angle is an array (T, D / 2): positions[:, None] * base ** (-2 * np.arange(D // 2) / D).",
        "a, b = x[:, 0::2], x[:, 1::2] are the pairs, each (T, D / 2).",
        "y = np.empty_like(x), then y[:, 0::2] = a * np.cos(angle) - b * np.sin(angle), and y[:, 1::2] likewise.",
    ),
    look="the two figures of scores after the exercise: along each diagonal, where the distance is the same, rotary "
         "scores have a single colour.",
)  # fmt: skip

EXERCISES = (HEADS, ADDITION, SPLICE, ROTARY)
