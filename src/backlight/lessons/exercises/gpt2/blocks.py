"""Exercises 9.6 and 9.7: one more block of an online softmax, and attention in blocks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.core import BoolArray, FloatArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.gpt2.products import Products
from backlight.lessons.exercises.helpers import softmax

# -- 9.6: one more block ----------------------------------------------------------------------------------------------


def _blocks(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for R, S, D, seen in ((3, 4, 2, 0), (4, 3, 5, 3), (2, 5, 3, 2), (3, 3, 2, 4)):
        before, values = rng.normal(0, 2, (R, seen)), rng.normal(size=(seen, D))
        largest = before.max(1, initial=-np.inf)
        counts = np.exp(before - largest[:, None]) if seen else before
        scores = rng.normal(0, 3, (R, S))
        cases.append({
            "scores": scores, "v": rng.normal(size=(S, D)), "largest": largest, "total": counts.sum(1),
            "read": counts @ values,
        })  # fmt: skip
    cases[2]["scores"][0, 2:] = -np.inf
    cases[3]["scores"][np.triu_indices(3, 1)] = -np.inf
    cases[3]["scores"][0] = -np.inf  # a row that reads nothing in this block
    return cases


def add_block(
    scores: FloatArray, v: FloatArray, largest: FloatArray, total: FloatArray, read: FloatArray, *,
    new_of: Callable[[FloatArray, FloatArray], FloatArray] = np.maximum,
    factor_of: Callable[[FloatArray, FloatArray], FloatArray] = lambda old, new: np.exp(old - new),
    counted_from: Callable[[FloatArray, FloatArray], FloatArray] = lambda old, new: new, of_total: bool = True,
    of_read: bool = True, carried: bool = True, divided: bool = False, kept: bool = False, on_block: bool = False,
    alone: bool = False, by_block: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    new = new_of(largest, scores.max(1))
    factor = (np.exp(largest - scores.max(1)) if by_block else factor_of(largest, new)) * (1.0 if carried else 0.0)
    counts = np.exp(scores - counted_from(largest, new)[:, None])
    own = counts @ v / (counts.sum(1)[:, None] if alone else 1.0)
    if on_block:
        return new, total + factor * counts.sum(1), read + factor[:, None] * own
    more = (factor if of_total else 1.0) * total + counts.sum(1)
    mixed = (factor[:, None] if of_read else 1.0) * read + own
    return largest if kept else new, more, mixed / more[:, None] if divided else mixed


BLOCK = Exercise(
    cases=_blocks,
    solution=add_block,
    parts=("largest", "total", "read"),
    mistakes=(
        wrong("the earlier sums are not rescaled", of_total=False, of_read=False,
              says="total and read were computed with the old maximum. If the maximum grows, multiply both by "
                   "exp(old - new) before you add to them."),
        wrong("the earlier total is not rescaled", of_total=False,
              says="read is rescaled, and total is not. Both were computed with the old maximum."),
        wrong("the earlier read is not rescaled", of_read=False,
              says="total is rescaled, and read is not. Both were computed with the old maximum."),
        wrong("the factor is upside down", factor_of=lambda old, new: np.exp(new - old),
              says="What was exp(s - old) should become exp(s - new): multiply by exp(old - new), which is at most 1."),
        wrong("the factor uses the block's maximum", by_block=True,
              says="The earlier sums go from the old maximum to the *new* one, which is the larger of the old one and "
                   "the block's: exp(old - new)."),
        wrong("the maximum is not carried", new_of=lambda old, block: block,
              says="This is the largest score of the block alone. The new maximum is the larger of it and the old one, "
                   "np.maximum(largest, scores.max(1))."),
        wrong("the maximum is not carried, and nothing is rescaled", new_of=lambda old, block: block, of_total=False,
              of_read=False,
              says="Each block has a maximum of its own, so its exponentials are in another unit than those of the "
                   "others, and may not be added. Take the larger of the old and the block's maximum, and rescale."),
        wrong("the earlier blocks are forgotten", carried=False,
              says="Only this block is counted. Add to total and read, after rescaling them."),
        wrong("this block is counted with the old maximum", counted_from=lambda old, new: old,
              says="The exponentials of this block need the new maximum, or they overflow if it is larger."),
        wrong("the factor is on the new block", on_block=True,
              says="This block is in units of the new maximum already. What has to be brought to them are the earlier "
                   "sums: factor * total + counts.sum(1)."),
        wrong("the block is divided by its own sum", alone=True,
              says="read is a sum, not a mean: it is divided by total at the very end, once for all blocks."),
        wrong("no maximum is subtracted", counted_from=lambda old, new: np.zeros_like(new),
              says="The exponentials of this block are exp(scores - new maximum), as the earlier ones are."),
        wrong("the old maximum is returned", kept=True,
              says="The sums are right, but the maximum that is returned is the old one."),
        wrong("divided by the total already", divided=True,
              says="read is divided by total, which the next block would have to undo. Here the division comes once, "
                   "after the last block."),
        wrong("one maximum for all rows", new_of=lambda old, block: np.maximum(old, block.max()),
              says="The largest score is taken over the whole block. Each row has a maximum of its own: "
                   "scores.max(1)."),
    ),
    hints=(
        "new = np.maximum(largest, scores.max(1)) has a maximum for each row.",
        "The earlier sums are in units of exp(-largest): multiply them by np.exp(largest - new).",
        "counts = np.exp(scores - new[:, None]); then total becomes factor * total + counts.sum(1).",
        "The whole third line: factor[:, None] * read + counts @ v.",
    ),
    look="the table above the exercise: the same row in two blocks, before and after the second one.",
)  # fmt: skip


# -- 9.7: attention in blocks -----------------------------------------------------------------------------------------

_AT_ONCE, _IN_ALL = "the scores of the largest product", "all scores that are computed"


def _heads(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = [
        {**{name: rng.normal(size=(T, D)) for name in ("q", "k", "v")}, "size": size}
        for T, D, size in ((8, 3, 4), (10, 5, 4), (7, 4, 2), (3, 7, 5))
    ]
    far = 100 * rng.normal(size=(6, 5))
    return [*cases, {"q": far, "k": -far, "v": rng.normal(size=(6, 5)), "size": 3}]  # large and negative scores


def attention_in_blocks(
    q: FloatArray, k: FloatArray, v: FloatArray, size: int, *,
    scale: Callable[[int, int], float] = lambda D, _: D**-0.5,
    hidden: Callable[[int, int, BoolArray], BoolArray] = lambda i, j, late: late, skipped: bool = True,
    ahead: int = 0, last: bool = True, divided: bool = True, lowest: float = -np.inf,
    added: Callable[..., Any] = add_block, anew: bool = True,
) -> FloatArray:  # fmt: skip
    T, D = q.shape
    out = np.zeros_like(v)
    ends = T if last else T // size * size
    for i in range(0, ends, size):
        rows = q[i : i + size]
        R = len(rows)
        if anew or i == 0:
            largest, total, read = np.full(R, lowest), np.zeros(R), np.zeros((R, v.shape[1]))
        largest, total, read = largest[:R], total[:R], read[:R]
        for j in range(0, i + 1 + ahead if skipped else ends, size):
            keys = k[j : j + size]
            scores = rows @ keys.T * scale(D, size)
            late = np.arange(j, j + len(keys)) > np.arange(i, i + R)[:, None]
            scores = np.where(hidden(i, j, late), -np.inf, scores)
            largest, total, read = added(scores, v[j : j + size], largest, total, read)
        out[i : i + size] = read / (total[:, None] if divided else 1.0)
    return out


def _whole(q: FloatArray, k: FloatArray, v: FloatArray, size: int) -> FloatArray:
    T, D = q.shape
    del size
    return softmax(np.where(np.tril(np.ones((T, T))) > 0, q @ k.T / D**0.5, -np.inf)) @ v


def _without_maximum(q: FloatArray, k: FloatArray, v: FloatArray, size: int) -> FloatArray:
    T, D = q.shape
    del size
    counts = np.where(np.tril(np.ones((T, T))) > 0, np.exp(q @ k.T / D**0.5), 0.0)
    read: FloatArray = counts / counts.sum(1, keepdims=True) @ v
    return read


def _separately(
    scores: FloatArray, v: FloatArray, largest: FloatArray, total: FloatArray, read: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    return largest, np.ones_like(total), read + np.nan_to_num(softmax(scores)) @ v


def _triangles(i: int, j: int, late: BoolArray) -> BoolArray:
    del i, j
    seen: BoolArray = np.tri(*late.shape) > 0  # the same triangle in each block
    return ~seen


def _watched(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return the result, and the scores that were computed, as far as they are more than blocks need."""
    T, size = len(case["q"]), case["size"]
    products = Products(case["q"].shape[1])
    found = call(answer, {name: one if name == "size" else products.watched(one) for name, one in case.items()})
    if found is None or found is ...:
        return None
    lengths = [min(size, T - i) for i in range(0, T, size)]
    enough = sum(rows * keys for at, rows in enumerate(lengths) for keys in lengths[: at + 1])
    return {
        "the result": found,
        _AT_ONCE: max(*products.sizes, size * size, 0),
        _IN_ALL: max(sum(products.sizes), enough),
    }


BLOCKS = Exercise(
    cases=_heads,
    solution=attention_in_blocks,
    use=_watched,
    sentences={
        _AT_ONCE: "The result is right, but a product has {ours:.0f} scores; a block has at most {right:.0f}.",
        _IN_ALL: "The result is right, but {ours:.0f} scores are computed; {right:.0f} are enough.",
    },
    mistakes=(
        wrong("not in blocks", _whole,
              says="The table of all scores is in memory at once. Cut the queries and the keys into blocks of size "
                   "rows, and go through them in two loops."),
        wrong("not in blocks, and no maximum is subtracted", _without_maximum,
              says="The table of all scores is in memory at once, and large scores overflow in exp. Cut the queries "
                   "and the keys into blocks of size rows, and call add_block for each."),
        wrong("blocks of the future are computed", skipped=False,
              says="Blocks whose keys all come after the queries are computed, and then hidden. Skip them: that is "
                   "nearly half of the work."),
        wrong("the mask of the diagonal block is forgotten", hidden=lambda i, j, late: np.zeros_like(late),
              says="Blocks of the future are skipped, but the block on the diagonal is half future: within it a "
                   "position may read only keys up to its own."),
        wrong("blocks of the future are read", skipped=False,
              hidden=lambda i, j, late: late if i == j else np.zeros_like(late),
              says="The diagonal block is masked, but the blocks to the right of it are read, too. Skip them."),
        wrong("the sums go on with the next queries", anew=False,
              says="Each block of queries begins with a maximum of -inf and sums of 0: set them inside the outer "
                   "loop."),
        wrong("no mask at all", skipped=False, hidden=lambda i, j, late: np.zeros_like(late),
              says="Every position reads the whole text. Skip the blocks of the future, and mask the one on the "
                   "diagonal."),
        wrong("every block is masked like the diagonal one", hidden=_triangles,
              says="The triangle belongs to the diagonal block only. Blocks of earlier keys are read as a whole."),
        wrong("the triangle of the diagonal block is upside down",
              hidden=lambda i, j, late: ~(late | (np.eye(*late.shape) > 0)) if i == j else late,
              says="In the diagonal block row t reads the columns up to t: the lower triangle, np.tril."),
        wrong("the mask hides the past", hidden=lambda i, j, late: ~late & ((np.eye(*late.shape) == 0) | (i != j)),
              says="The mask is the wrong way round: keys after the query are hidden, and those before it are read."),
        wrong("a position does not read itself",
              hidden=lambda i, j, late: late | ((np.eye(*late.shape) > 0) & (i == j)),
              says="A position may read its own key, and the first one can read nothing else: hide what is *later*."),
        wrong("the diagonal block is skipped", ahead=-1,
              says="The block of keys at the queries' own places is skipped, so the first queries read nothing."),
        wrong("the first maximum is 0", lowest=0.0,
              says="If all scores are far below 0, their exponentials are 0, and so is the total. Begin with -inf."),
        wrong("not divided by the total", divided=False,
              says="After the last block of keys, divide read by total: only then the weights sum to 1."),
        wrong("a softmax for each block", added=_separately,
              says="Each block has a softmax of its own, so a row's weights sum to the number of blocks. All keys "
                   "share one total; add_block keeps it."),
        wrong("no scale", scale=lambda D, size: 1.0,
              says="The scores are divided by √D, as in lesson 7."),
        wrong("scaled by the size of the blocks", scale=lambda D, size: size**-0.5,
              says="The scores are divided by √D, where D is the length of a query. The size of a block changes "
                   "nothing in the result."),
        wrong("the last block is left out", last=False,
              says="If T is no multiple of size, the last block is smaller. range(0, T, size) has its beginning, and "
                   "q[i : i + size] stops at the end by itself."),
    ),
    hints=(
        "The outer loop is over blocks of queries: for i in range(0, T, size), with q[i : i + size].",
        "The inner one is over keys up to the same place: for j in range(0, i + 1, size).",
        "Positions are np.arange(i, i + R) and np.arange(j, j + S); np.where(later, -np.inf, scores) hides.",
        "For each i begin with np.full(R, -np.inf), np.zeros(R) and np.zeros((R, D)).",
        "After the inner loop: out[i : i + size] = read / total[:, None].",
    ),
    look="the picture of the blocks above the exercise: which are skipped, and which are masked?",
)  # fmt: skip
