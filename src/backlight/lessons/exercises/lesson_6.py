"""Lesson 6: a tree as dilated convolutions, a model below 2.00 nats, batch norm over batch and position."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import as_array, counted_names, mean_nats, softmax, windows_of
from backlight.lessons.recorded import load_pretrained

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


def tree_everywhere(
    vectors: FloatArray, edge: FloatArray, levels: Levels, *, swapped: bool = False, padding: str = "edges",
    dilation: Callable[[int, int], int] = lambda level, levels: 1 << level, more: int = 0, bias: float = 1.0,
    squash: Callable[[Any], Any] = np.tanh,
) -> FloatArray:  # fmt: skip
    """Return the output of the tree at every position, or a wrong result on request."""
    steps = [dilation(level, len(levels)) for level in range(len(levels))]
    in_front = {"edges": sum(steps) + more, "one edge": 1}.get(padding, 0)
    h = np.concatenate([np.tile(edge, (in_front, 1)), vectors])
    for step, (W, b) in zip(steps, levels, strict=True):
        left, right = np.split(W, 2)[:: -1 if swapped else 1]
        if padding == "zeros":
            h = np.concatenate([np.zeros((step, h.shape[1])), h])
        h = squash(h[:-step] @ left + h[step:] @ right + bias * b)
    return h


def _ahead(vectors: FloatArray, edge: FloatArray, levels: Levels, *, swapped: bool = False) -> FloatArray:
    """Return the output of the tree for the window that begins with each character."""
    length = len(vectors)
    more = np.concatenate([vectors, np.tile(edge, (2 ** len(levels) - 1, 1))])
    return tree_everywhere(more, edge, levels, padding="none", swapped=swapped)[:length]


def _halved(vectors: FloatArray, edge: FloatArray, levels: Levels) -> FloatArray:
    """Return the output of the tree for windows that do not overlap."""
    window = 2 ** len(levels)
    in_front = -len(vectors) % window
    h = np.concatenate([np.tile(edge, (in_front, 1)), vectors])
    for W, b in levels:
        h = np.tanh(h.reshape(len(h) // 2, -1) @ W + b)
    return h


SLIDE = Exercise(
    cases=_trees,
    solution=tree_everywhere,
    unseen="Whether the text was cut into windows cannot be seen here: that gives the same numbers, in more time.",
    mistakes=(
        wrong("dilation not doubled", dilation=lambda level, levels: 1,
              says="Every level joins adjacent positions. After level 1 each position already represents two "
                   "characters, so its partner is two positions back; on the next level, four."),
        wrong("dilation starts at 2", dilation=lambda level, levels: 2 ** (level + 1),
              says="The lowest level joins a character with the one right before it: the first dilation is 1."),
        wrong("dilations in reverse order", dilation=lambda level, levels: 2 ** (levels - 1 - level),
              says="The dilations are 1, 2, 4 from the lowest level up. In reverse order, distant characters are "
                   "joined first."),
        wrong("looks ahead", _ahead,
              says="Row t is the window that begins with character t, so it reads what is still to be predicted. The "
                   "partner of each position must be before t, and the padding at the beginning."),
        wrong("looks ahead, and the pair's weights are swapped", lambda **case: _ahead(**case, swapped=True),
              says="Each position is joined with a later one, so it reads what is still to be predicted. The partner "
                   "of each position must be before t."),
        wrong("the pair's weights are swapped", swapped=True,
              says="The first half of W is for the older of the two, h[:-d]; the second half is for the newer, h[d:]."),
        wrong("padded with zeros, not edges", padding="zeros",
              says="That is the usual padding of a convolution layer: zeros on every level. But the tree reads dots "
                   "before a name, whose outputs are not zero on any level."),
        wrong("padded with vectors of zeros", lambda **case: tree_everywhere(**{**case, "edge": 0 * case["edge"]}),
              says="Before the text stand dots, whose vector is edge, not zeros."),
        wrong("no padding", padding="none",
              says="Every level shortens the text by its dilation. The missing rows are the first ones, whose "
                   "windows begin before the text: put edges there."),
        wrong("not enough padding", padding="one edge",
              says="One edge is enough for the lowest level only. Together, all levels shorten the text by 1 + 2 + 4 "
                   "+ ..."),
        wrong("shifted by one", lambda **case: tree_everywhere(**case, more=1)[:-1],
              says="Row t is the window that ends with the character before t. There is one edge too many at the "
                   "beginning."),
        wrong("one row too many", more=1,
              says="You padded by as many edges as a window has characters. The first window then consists of edges "
                   "only, and ends before the text begins."),
        wrong("windows that do not overlap", _halved,
              says="Each level halves the text, so only every 2ᵏ-th position gets an output. Here every level must "
                   "keep all positions."),
        wrong("forgot tanh", squash=lambda sums: sums, says="Without tanh between them, all levels together are a "
                                                            "single matrix."),
        wrong("forgot the bias", bias=0.0, says="Each level adds its bias b before the tanh."),
    ),
    hints=(
        "First put 2ᵏ - 1 edges in front: np.concatenate([np.tile(edge, (count, 1)), vectors]).",
        "The lowest level joins each with the one before: h[:-1] holds the older of all pairs, h[1:] the newer.",
        "On level l (from 0) the two are d = 2**l apart: h[:-d] and h[d:]. Each level makes h shorter by d.",
        "left, right = np.split(W, 2); h = np.tanh(h[:-d] @ left + h[d:] @ right + b)",
    ),
    look="the figure of the tree among those of all other letters: the dark lines are one row of your answer.",
)  # fmt: skip


# -- 6.2: below 2.00 --------------------------------------------------------------------------------------------------

BOUND: Final = 2.0
"""The loss on dev to reach, in nats per character."""

LONGEST: Final = 16
"""Characters in each context that an answer gets."""

_LOSS: Final = "the loss on dev"
"""The bound for all below it."""

_SMALL = 512
"""Contexts on which mistakes are recognised."""


def _contexts(rng: np.random.Generator) -> list[dict[str, Any]]:
    x, _ = windows_of("dev", LONGEST)
    return [{"contexts": x[rng.choice(len(x), _SMALL, replace=False)]}]


def _asked(answer: Callable[..., Any], contexts: IntArray) -> FloatArray:
    return as_array(call(answer, {"contexts": contexts.copy()}))


def _graded(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return properties of a model's logits, and how far its loss on dev is above the bound.

    It stops at the first property that is wrong. The loss is measured here, whatever the learner measured.
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
        parts = [windows_of(part, LONGEST) for part in ("dev", "test")]
        dev, test = (mean_nats(_asked(answer, x), y) for x, y in parts)
        found["whether dev was held out"] = test - dev < 0.04 and dev > 1.88
        found[_LOSS] = max(dev, BOUND)
    return found


_SOUND: Final[dict[str, Any]] = {
    "the number of logits per context": 27,
    "the number of rows": _SMALL,
    "whether each is finite": True,
    "whether a context has the same logits in another batch": True,
    "whether they are logits": True,
    "whether id 0 is the dot": True,
    "whether it predicts the next character": True,
    "whether the newest character is read as the newest": True,
}
_NOTHING_KNOWN: Final = {
    **dict.fromkeys(_SOUND, np.nan), "whether dev was held out": np.nan, _LOSS: np.nan,
}  # fmt: skip
"""NaN and not False: a mistake is recognised by the first property that is wrong; the later ones are not computed."""


def _of_logits(answer: Callable[..., Any], contexts: IntArray) -> dict[str, Any]:
    logits = _asked(answer, contexts)
    found: dict[str, Any] = {
        "the number of logits per context": logits.shape[-1] if logits.ndim else 1,
        "the number of rows": len(logits) if logits.ndim == 2 else 1,
        "whether each is finite": bool(np.isfinite(logits).all()),
    }
    if not all(found[name] == _SOUND[name] for name in found):
        return found
    few = _asked(answer, contexts[:7])
    sums, positive = logits.sum(1), bool((logits >= 0).all())
    x, y = windows_of("dev", LONGEST)
    x, y = (array[:: len(y) // 2000] for array in (x, y))
    plain = mean_nats(_asked(answer, x), y)
    turned = mean_nats(_asked(answer, x[:, ::-1]), y)
    renumbered = mean_nats(np.roll(_asked(answer, (x - 1) % 27), 1, axis=1), y)
    p = softmax(logits)
    again = p[np.arange(len(p)), contexts[:, -1]].mean()
    return found | {
        "whether a context has the same logits in another batch": np.allclose(few, logits[:7], rtol=1e-3, atol=1e-3),
        "whether they are logits": not (positive and np.allclose(sums, 1, atol=1e-3)),
        "whether id 0 is the dot": not renumbered < plain - 0.1,
        "whether it predicts the next character": bool(again < 0.3),
        "whether the newest character is read as the newest": not turned < plain - 0.02,
    }


@cache
def _net() -> Any:
    return load_pretrained()


def logits_for(contexts: IntArray) -> FloatArray:
    """Return the logits of the network that scripts/train_lesson_6.py trained."""
    logits: FloatArray = _net().next_logits(contexts[:, -6:])
    return logits


def _by_counts(contexts: IntArray, *, parts: tuple[str, ...]) -> FloatArray:
    model = counted_names(parts)
    return model.next_logits(contexts[:, -model.context :])


def _by_batch(contexts: IntArray) -> FloatArray:
    logits = logits_for(contexts)
    alike: FloatArray = (logits - logits.mean(0)) / logits.std(0)
    return alike


def _parrot(contexts: IntArray) -> FloatArray:
    logits: FloatArray = 6.0 * np.eye(27)[contexts[:, -1]]
    return logits


def _all_zero_counts(contexts: IntArray) -> FloatArray:
    """Return logs of probabilities, some of which are 0."""
    p = softmax(logits_for(contexts))
    with np.errstate(divide="ignore"):
        return np.log(np.where(p < 1e-4, 0, p))


BEAT = Exercise(
    cases=_contexts,
    solution=logits_for,
    sentences={_LOSS: "Your loss on dev is {ours:.4g} nats per character; it must be below 2.00."},
    use=_graded,
    properties=True,
    mistakes=(
        wrong("impossible characters", _all_zero_counts,
              says="A logit is infinite or not a number. If a character with probability 0 occurs, the loss is "
                   "infinite, so smooth the probabilities. Or did the training diverge?"),
        wrong("a context's logits depend on the batch", _by_batch,
              says="The same context gets different logits in different batches. Batch norm in training mode uses "
                   "the mean and the variance of the batch: switch to evaluation mode first. Or did you take softmax "
                   "over axis 0?"),
        wrong("probabilities, not logits", lambda contexts: softmax(logits_for(contexts)),
              says="Rows that are never negative and sum to 1 are probabilities, and the softmax of these is nearly "
                   "uniform. Return the inputs of softmax, or the logs of the probabilities."),
        wrong("different ids", lambda contexts: np.roll(logits_for((contexts + 1) % 27), -1, axis=1),
              says="The dot has id 0 and a has id 1. In your model, a seems to have id 0 and the dot 26."),
        wrong("a context that contains the target", _parrot,
              says="The model predicts that the last character comes again. It was probably trained on windows that "
                   "contain the character to predict: they must end one position earlier."),
        wrong("contexts from the wrong end", lambda contexts: logits_for(contexts[:, ::-1]),
              says="The loss is lower when the contexts are reversed. The newest character is in the last column: a "
                   "model of context 8 takes contexts[:, -8:], without reversing it."),
        wrong("trained on the evaluation data", lambda contexts: _by_counts(contexts, parts=("dev", "dev")),
              says="The loss on dev is lower than any model can reach without training on dev, or much lower than on "
                   "test. Train on the train part alone."),
        wrong("an n-gram model", lambda contexts: _by_counts(contexts, parts=("train", "dev")),
              says="That is the best n-gram model of lesson 2, with the best smoothing. It is close. A network "
                   "reaches a lower loss because it shares what it learns between similar contexts."),
    ),
    hints=(
        (
            "The lesson's trained(model, settings, config) trains any network of the package. It returns the network "
            "first; next_logits(contexts[:, -T:]) of the network gives the logits for its context length T."
        ),
        (
            "Compare train with dev. If both are high, train for longer, or use a larger network. If train is far "
            "below dev, it overfits: use more weight_decay, and ema_decay=0.998."
        ),
        (
            "It need not be a tree. On names this short, a flat network that reads 6 characters works well: two hidden "
            "layers of about 170 units, embedding 24."
        ),
        "TrainConfig.of('mlp', steps=8000, weight_decay=0.07) trains that one in seconds.",
    ),
    look="the losses on train and on dev that trained(...) prints, side by side.",
    atol=1e-6,
)  # fmt: skip


# -- 6.3: batch norm over batch and position --------------------------------------------------------------------------


def _batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    def case(B: int, T: int, C: int, momentum: float) -> dict[str, Any]:
        x = rng.normal(1.0, 2.0, (B, T, C)) + 2 * rng.normal(size=(T, C))
        x[:, :, 0] *= 0.01  # a channel that hardly varies: 1e-5 matters there
        return {
            "x": x,
            "gain": rng.uniform(0.5, 2, C),
            "shift": rng.normal(size=C),
            "running_mean": rng.normal(size=C),
            "running_var": rng.uniform(0.5, 3, C),
            "momentum": momentum,
        }

    return [case(4, 3, 5, 0.1), case(6, 2, 3, 0.3), case(3, 4, 4, 0.1)]


def batch_norm_3d(
    x: FloatArray, gain: FloatArray, shift: FloatArray, running_mean: FloatArray, running_var: FloatArray,
    momentum: float, *, over: int | tuple[int, ...] = (0, 1), less: int = 0, less_running: int = 1, eps: float = 1e-5,
    power: float = 0.5, by_running: bool = False, keepdims: bool = False,
    share: Callable[[float], float] = lambda momentum: momentum,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    mean, var = x.mean(over, keepdims=True), x.var(over, ddof=less, keepdims=True)
    used_mean, used_var = (running_mean, running_var) if by_running else (mean, var)
    y = gain * (x - used_mean) / (used_var + eps) ** power + shift
    seen_mean, seen_var = x.mean(over, keepdims=keepdims), x.var(over, ddof=less_running, keepdims=keepdims)
    if over == 2:  # (B, T) and (C,) need not fit: only y is wrong
        seen_mean, seen_var = x.mean((0, 1)), x.var((0, 1), ddof=1)
    m = share(momentum)
    return y, (1 - m) * running_mean + m * seen_mean, (1 - m) * running_var + m * seen_var


def _by_updated(**case: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    _, mean, var = batch_norm_3d(**case)
    return (case["gain"] * (case["x"] - mean) / np.sqrt(var + 1e-5) + case["shift"], mean, var)


NORM = Exercise(
    cases=_batches,
    solution=batch_norm_3d,
    parts=("y", "the running mean", "the running variance"),
    mistakes=(
        wrong("only over axis 0", over=0,
              says="Each position is normalised separately, over B numbers. The linear layer before it is the same "
                   "at all positions, so use all B T numbers together: x.mean((0, 1))."),
        wrong("only over axis 1", over=1,
              says="Each example is normalised separately, over its positions. Batch norm also averages over the "
                   "batch."),
        wrong("over the channels", over=2,
              says="Each position is normalised over its channels, which is layer norm. Batch norm treats each "
                   "channel separately."),
        wrong("over everything", over=(0, 1, 2), says="All channels share one mean. Each channel must have its own."),
        wrong("the new running statistics in training", _by_updated,
              says="y is normalised by the running statistics after their update. In training, normalise the batch by "
                   "its own mean and variance; the running ones are for evaluation."),
        wrong("the running statistics in training", by_running=True,
              says="In training, normalise the batch by its own mean and variance; the running ones are for "
                   "evaluation."),
        wrong("unbiased for biased variance", less=1,
              says="To normalise, use the variance divided by B T (ddof=0), so that the result has variance 1 in "
                   "this batch."),
        wrong("divided by the variance", power=1.0, says="Divide by the standard deviation: the square root is "
                                                         "missing."),
        wrong("eps is missing", eps=0.0, says="Add 1e-5 to the variance, under the square root."),
        wrong("running statistics with axes of length 1", keepdims=True,
              says="They have shape (1, 1, C). Keep the extra axes for normalising if you like, but return one "
                   "number per channel, (C,)."),
        wrong("momentum reversed", share=lambda momentum: 1 - momentum,
              says="momentum is the weight of the batch, and is small: the weight of the old one is 1 - momentum."),
        wrong("the running statistics are not updated", share=lambda momentum: 0.0,
              says="They were returned unchanged. Each must move a little towards that of the batch."),
        wrong("biased for unbiased variance", less_running=0,
              says="The running variance estimates that of all data, so it uses the batch's variance divided by B T "
                   "- 1: ddof=1. Only the variance that normalises the batch itself is divided by B T."),
    ),
    hints=(
        "x.mean((0, 1)) has shape (C,), which matches the last axis: subtracting it from x needs no keepdims.",
        "var = x.var((0, 1)) is biased. y = gain * (x - mean) / np.sqrt(var + 1e-5) + shift.",
        "The running mean: (1 - momentum) * running_mean + momentum * mean.",
        "The running variance: the same with x.var((0, 1), ddof=1).",
    ),
    look="the running means before and after the bug is fixed: over how many numbers is each mean taken?",
)  # fmt: skip

EXERCISES = (SLIDE, BEAT, NORM)
