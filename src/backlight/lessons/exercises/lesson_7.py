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
              says="(B, T, C) was reshaped to (B, heads, T, D) in one go. The shape is right, and the numbers are "
                   "shuffled: reshape only cuts an axis where it stands. Cut C into (heads, D) first, then swap axes."),
        wrong("heads put together in the wrong order", together=lambda y: y.reshape(len(y), y.shape[2], -1),
              says="(B, heads, T, D) was reshaped to (B, T, C) in one go. Swap the axes back first, so that heads and "
                   "channels are neighbours; then reshape joins them."),
        wrong("heads interleaved", apart=lambda y, heads: y.reshape(*y.shape[:2], -1, heads).transpose(0, 3, 1, 2),
              says="Every so-many-th column went to a head. A head's columns stand side by side: cut C into (heads, "
                   "D), with the heads first."),
        wrong("heads summed, not side by side", together=lambda y: y.sum(1),
              says="Each head keeps its own D channels: the results are laid side by side, which gives C again."),
        wrong("no mask", seen=lambda T: np.ones((T, T)),
              says="Every position reads the whole text, and so the very letter that it should predict."),
        wrong("sees the future", seen=lambda T: np.triu(np.ones((T, T))),
              says="The mask is on the wrong side: positions read what comes after them. Row t may look at columns 0 "
                   "to t, the lower triangle."),
        wrong("may not read itself", seen=lambda T: np.tril(np.ones((T, T)), -1),
              says="The diagonal is masked, too. A position may read itself, and the first one has nothing else."),
        wrong("masked after the softmax", late=True,
              says="Weights were set to 0 after the softmax, so the rows no longer sum to 1. Put -inf into the scores "
                   "instead, and softmax shares 1 among the rest."),
        wrong("no scale", scale=lambda C, D: 1.0,
              says="Scores of D channels have D times the variance of one: divide them by √D before the softmax."),
        wrong("scaled by C, not by the head size", scale=lambda C, D: C**-0.5,
              says="A score is a sum over one head's D channels, not over all C: divide by √D."),
        wrong("divided by D, not by its root", scale=lambda C, D: 1 / D,
              says="The variance grows with D, so the spread grows with √D: divide by that."),
        wrong("softmax over the wrong axis", axis=-2,
              says="A row of weights belongs to who reads, and must sum to 1: softmax over the last axis."),
        wrong("transposed product", swapped=True,
              says="Keys ask and queries answer: it should be q @ k transposed. Rows are who asks."),
    ),
    hints=(
        "x @ Wq has the queries of all heads, (B, T, C). Make the heads an axis in front, as B is: (B, heads, T, D).",
        "reshape(B, T, heads, D) cuts the last axis; transpose(0, 2, 1, 3) then brings the heads forward.",
        "scores = q @ k.transpose(0, 1, 3, 2) / D**0.5, and np.where(np.tril(np.ones((T, T))) == 1, scores, -np.inf).",
        "After weights @ v: transpose(0, 2, 1, 3) again, and reshape(B, T, C).",
    ),
    look="the tables of scores and weights in the lesson: rows are who reads, columns what is read; the upper right is "
    "empty.",
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
              says="The sum begins with its highest digit, which depends on every carry. Write the ones first."),
        wrong("the carry's digit is missing", total=lambda sum_, n: f"{sum_:0{n - 1}d}"[::-1],
              says="Two numbers of two digits may have a sum of three: every sum is padded to digits + 1."),
        wrong("the sum is not padded", total=lambda sum_, n: str(sum_)[::-1],
              says="Sums have different lengths: every sum is padded with zeros to digits + 1 before it is reversed."),
        wrong("padded after reversing", total=lambda sum_, n: str(sum_)[::-1].zfill(n),
              says="The zeros stand where the ones should. Pad the sum in front, then reverse it: zeros come last."),
        wrong("the numbers are not padded", number=lambda one, n: str(one),
              says="7 + 5 must look like 0 7 0 5. Otherwise nothing says where a ends and b begins."),
        wrong("the numbers are reversed, too", number=lambda one, n: f"{one:0{n}d}"[::-1],
              says="Only the sum is reversed. The numbers are read whole before the first digit is due."),
        wrong("x keeps the last digit", _whole,
              says="Nothing comes after the last digit, so nothing is to be predicted there: x leaves it out."),
        wrong("y is x, masked", shifted=False, extra=1,
              says="y is x with -1 for the question. At each place it must hold the digit that comes *next*."),
        wrong("y is not shifted", shifted=False,
              says="y holds the digits of x itself. At each place it must hold the digit that comes *next*."),
        wrong("the question is not masked", lambda **case: encode_sum(**case, extra=1 - 2 * case["digits"]),
              says="The model is asked to guess the numbers of the question. Nobody can: those places are -1."),
        wrong("hidden in x", _hidden_in_x, says="The question is what the model reads: x keeps it. The -1 go into y."),
        wrong("one too many is masked", extra=1,
              says="The first digit of the sum is no target. It is predicted at the question's last digit, which is "
                   "therefore not masked."),
        wrong("one too few is masked", extra=-1,
              says="The question's last digit is a target. Its place is the one before it: that is masked, too."),
        wrong("masked with 0", hidden=0,
              says="0 is a digit, so the model would learn to write zeros there. No target is -1."),
    ),
    hints=(
        'f"{7:03d}" is "007", and so is str(7).zfill(3). text[::-1] is a text backwards.',
        "Make a list of all digits as numbers. x is the list without its last, y the list without its first.",
        "The question's first digit has no place that predicts it: 2 * digits - 1 places of y are -1.",
    ),
    look="the two rows that the lesson prints after it: under each digit of x stands what comes next.",
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
    """Return the arrays that an answer gives, what belongs to characters first."""
    made = call(answer, case)
    return {name: made[name] for name in _BY_CHARACTER if name in made} if isinstance(made, Mapping) else made


SPLICE = Exercise(
    cases=_networks,
    solution=splice,
    use=_by_name,
    mistakes=(
        wrong("by index, not by character", _by_index,
              says="Number 2 was copied to number 2. But in the other text number 2 is another character: look up the "
                   "character of each id, and where that stood in the old list."),
        wrong("the old arrays as they were", lambda old, **_: dict(old),
              says="The rows are still in the order of the old characters. Where does each new id's character stand?"),
        wrong("the output's columns are fresh", tables=("token.weight",),
              says="What goes in is spliced and what comes out is not: in output.weight each column belongs to a "
                   "character."),
        wrong("the characters' rows are fresh", tables=(),
              says="token.weight still has its fresh numbers, vectors that the old layers have never seen. It needs "
                   "the old rows of the characters that are known."),
        wrong("unknown characters are 0", unknown=0.0,
              says="A character that the old network does not know keeps its fresh numbers: a start as good as any."),
        wrong("the layers are fresh", body=False,
              says="The characters came along; the layers between them did not. All other arrays are the old ones."),
        wrong("one row off", ahead=1,
              says='Each character got the numbers of its neighbour. The boundary "" is in both lists, at id 0.'),
    ),
    hints=(
        "Begin with copies, {name: array.copy() for name, array in old.items()}, and replace two by fresh ones.",
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


ROTARY = Exercise(
    cases=_placed,
    solution=rotate,
    mistakes=(
        wrong("halves for neighbours", halves=True,
              says="Channel i was paired with channel i + D / 2. That is as good a choice, and some networks make it; "
                   "but here neighbours are a pair, x[:, 0::2] and x[:, 1::2]."),
        wrong("turned backwards", sign=-1.0,
              says="The minus belongs to the first of the two: a cos - b sin, and a sin + b cos."),
        wrong("not a turn: both have a plus", stretched=True,
              says="Without its minus this is no turn: lengths change, and scores depend on more than the distance."),
        wrong("computed from what was overwritten", overwritten=True,
              says="The second number of each pair was computed from the first one's *new* value. Keep both old ones "
                   "until both new ones are there."),
        wrong("all pairs turn alike", rate=lambda i, D: 0.0 * i,
              says="Each pair has its own speed, base ** (-2 * i / D): fast ones tell neighbours apart, slow ones see "
                   "far."),
        wrong("i for 2 * i", rate=lambda i, D: -1.0 * i / D,
              says="The exponent is -2 * i / D for pair i, so that it goes nearly to -1 over the D / 2 pairs."),
        wrong("faster and faster", rate=lambda i, D: 2.0 * i / D,
              says="The exponent has lost its minus. Pair 0 turns fastest, by p itself, and later pairs more slowly."),
        wrong("positions begin at 1", first=1,
              says="Position 0 is not turned at all: take the positions as they are given."),
        wrong("added, not turned", added=True,
              says="Sines and cosines were added to the vectors, as the first transformer did. Here pairs are turned: "
                   "multiply."),
    ),
    hints=(
        "angle is an array (T, D / 2): positions[:, None] * base ** (-2 * np.arange(D // 2) / D).",
        "a, b = x[:, 0::2], x[:, 1::2] are the pairs, each (T, D / 2).",
        "y = np.empty_like(x), then y[:, 0::2] = a * np.cos(angle) - b * np.sin(angle), and y[:, 1::2] likewise.",
    ),
    look="the two pictures of scores after it: along each diagonal, where the distance is the same, rotary scores are "
    "all one colour.",
)  # fmt: skip

EXERCISES = (HEADS, ADDITION, SPLICE, ROTARY)
