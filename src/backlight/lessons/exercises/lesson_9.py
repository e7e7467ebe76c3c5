"""Lesson 9: GPT-2's names and layouts, first weights, decay groups, accumulation, the schedule, attention in blocks."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import as_array, mean_nats, softmax
from backlight.lessons.exercises.outcomes import InvalidAnswer
from backlight.lessons.exercises.products import Products

Arrays = Mapping[str, FloatArray]
Shapes = Mapping[str, tuple[int, ...]]

# -- 9.1: weights from a file of GPT-2 --------------------------------------------------------------------------------

_LINEAR: Final = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
_HEAD: Final = "lm_head.weight"
_EMBEDDING: Final = "transformer.wte.weight"
_MISSING: Final = "how many names are missing"
_TOO_MANY: Final = "how many names are too many"


def _shapes(layers: int, C: int, V: int, T: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes in a file of GPT-2, with the masks, by name."""
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (V, C), "wpe.weight": (T, C)}
    for n in range(layers):
        shapes |= {f"h.{n}.ln_1.weight": (C,), f"h.{n}.ln_1.bias": (C,), f"h.{n}.attn.bias": (1, 1, T, T)}
        for name, fan_in, fan_out in (("attn.c_attn", C, 3 * C), ("attn.c_proj", C, C)):
            shapes |= {f"h.{n}.{name}.weight": (fan_in, fan_out), f"h.{n}.{name}.bias": (fan_out,)}
        shapes |= {f"h.{n}.ln_2.weight": (C,), f"h.{n}.ln_2.bias": (C,)}
        for name, fan_in, fan_out in (("mlp.c_fc", C, 4 * C), ("mlp.c_proj", 4 * C, C)):
            shapes |= {f"h.{n}.{name}.weight": (fan_in, fan_out), f"h.{n}.{name}.bias": (fan_out,)}
    return {**shapes, "ln_f.weight": (C,), "ln_f.bias": (C,)}


def _files(rng: np.random.Generator) -> list[dict[str, Any]]:
    files = [{name: rng.normal(size=shape) for name, shape in _shapes(*sizes).items()}
             for sizes in ((2, 4, 7, 5), (1, 6, 3, 4))]  # fmt: skip
    for file in files:
        for name in file:
            if name.endswith(".attn.bias"):
                file[name] = np.tril(np.ones(file[name].shape))
    files[1]["h.0.attn.masked_bias"] = np.array(-1e4)
    return [{"state": file} for file in files]


def from_gpt2(
    state: Arrays, *, linear: Callable[[str, FloatArray], bool] = lambda name, _: name.endswith(_LINEAR),
    turned: Callable[[FloatArray], FloatArray] = np.transpose,
    kept: Callable[[str], bool] = lambda name: not name.endswith((".attn.bias", ".attn.masked_bias")),
    named: Callable[[str], str] = lambda name: f"transformer.{name}", head: str | None = _HEAD,
    head_of: Callable[[FloatArray], FloatArray] = lambda wte: wte,
) -> dict[str, FloatArray]:  # fmt: skip
    model = {
        named(name): turned(array) if linear(name, array) else array for name, array in state.items() if kept(name)
    }
    return model if head is None else {**model, head: head_of(state["wte.weight"])}


def _by_name(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return the names that differ, counted, and then the arrays; one that is missing is a single 0."""
    wanted = list(from_gpt2(case["state"]))
    found = call(answer, case)
    if not isinstance(found, Mapping):
        return found
    counts = {
        _MISSING: len([name for name in wanted if name not in found]),
        _TOO_MANY: len([name for name in found if name not in wanted]),
    }
    return {**counts, **{name: found.get(name, 0.0) for name in wanted}}


FILE = Exercise(
    cases=_files,
    solution=from_gpt2,
    use=_by_name,
    sentences={
        _MISSING: "Of the names that the model has, {ours:.0f} are missing.",
        _TOO_MANY: "There are names that the model does not have: {ours:.0f} of them.",
    },
    mistakes=(
        wrong("nothing is transposed", linear=lambda name, array: False,
              says="The four linear layers of a block are stored as (inputs, outputs) in the file, and the model has "
                   "(outputs, inputs)."),
        wrong("only what the shapes show is transposed",
              linear=lambda name, array: name.endswith(_LINEAR) and array.shape[0] != array.shape[1],
              says="attn.c_proj is square, so its shape is the same either way, and nothing complains if it is not "
                   "transposed. Go by the names, not by the shapes."),
        wrong("every matrix is transposed", linear=lambda name, array: array.ndim == 2,
              says="wte and wpe are embeddings, whose rows are selected by an id or a position: (V, C) and (T, C) in "
                   "both. Only the four linear layers of a block are transposed."),
        wrong("reshaped, not transposed", turned=lambda array: array.reshape(array.shape[::-1]),
              says="reshape to the other shape leaves the numbers in their order in memory, so they land in the "
                   "wrong places. A transpose, array.T, moves them."),
        wrong("the layers of the MLP are not transposed", linear=lambda name, array: name.endswith(_LINEAR[:2]),
              says="c_fc and c_proj of the MLP are stored like the layers of attention: transpose these two, too."),
        wrong("the masks are loaded", kept=lambda name: True,
              says="attn.bias is no bias: it is the causal mask, a constant that was saved with the weights. Its name "
                   "ends with .attn.bias, and in older files there is .attn.masked_bias as well."),
        wrong("one of the two masks is loaded", kept=lambda name: not name.endswith(".attn.bias"),
              says="Older files have a second constant, attn.masked_bias. Leave that out, too."),
        wrong("the biases of c_attn are left out with the masks",
              kept=lambda name: "attn.bias" not in name and "masked_bias" not in name,
              says='attn.c_attn.bias ends with "attn.bias", too, and it is a weight. The masks end with ".attn.bias", '
                   "with the dot."),
        wrong("all that ends with bias is left out", kept=lambda name: not name.endswith("bias"),
              says="Only the masks are left out. The biases of layers and norms are weights."),
        wrong("the tied head is missing", head=None,
              says="The file has no lm_head.weight, because the output layer has the embedding's weights. The model "
                   "has a name for it: the same array as transformer.wte.weight."),
        wrong("the head is transposed", head_of=np.transpose,
              says="lm_head.weight is (V, C), a linear layer's (outputs, inputs): exactly the embedding, not its "
                   "transpose."),
        wrong("the names are those of the file", named=lambda name: name,
              says='In the model every name but that of the head begins with "transformer.".'),
        wrong("the head has a prefix", head=f"transformer.{_HEAD}",
              says="The output layer is outside of the transformer: its name is lm_head.weight, without a prefix."),
    ),
    hints=(
        "Go through state.items(), skip the masks, and put each array under its new name into a new dictionary.",
        'name.endswith((".attn.bias", ".attn.masked_bias")) finds the masks.',
        'Four names are transposed, those that end with "attn.c_attn.weight", "attn.c_proj.weight", and so on.',
        'At the end: model["lm_head.weight"] = model["transformer.wte.weight"].',
    ),
    look="the table of names and shapes: which of the four layers of a block has a square weight?",
)  # fmt: skip


# -- 9.2: first weights -----------------------------------------------------------------------------------------------


def _sizes(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"shapes": _model_shapes(layers, 48, 400, 60), "layers": layers, "rng": rng}
        for layers in (3, 8)
    ]  # fmt: skip


def _model_shapes(layers: int, C: int, V: int, T: int) -> dict[str, tuple[int, ...]]:
    file = {name: np.zeros(shape) for name, shape in _shapes(layers, C, V, T).items()}
    return {name: array.shape for name, array in from_gpt2(file).items()}


_STD: Final = 0.02


def _residual(layers: int) -> float:
    return _STD / math.sqrt(2 * layers)


def gpt2_weights(
    shapes: Shapes, layers: int, rng: np.random.Generator, *, std: float = _STD,
    residual: Callable[[int], float] = _residual,
    projections: Callable[[str], bool] = lambda name: name.endswith("c_proj.weight"), biases: float = 0.0,
    gains: Callable[[np.random.Generator, tuple[int, ...]], FloatArray] = lambda rng, shape: np.ones(shape),
    tied: bool = True, fan_in: bool = False,
    draw: Callable[..., FloatArray] = lambda rng, std, shape: rng.normal(0, std, shape),
) -> dict[str, FloatArray]:  # fmt: skip
    weights: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        if name == _HEAD and tied:
            weights[name] = weights[_EMBEDDING]
        elif name.endswith(".bias"):
            weights[name] = rng.normal(0, biases, shape)
        elif len(shape) == 1:
            weights[name] = gains(rng, shape)
        else:
            wide = residual(layers) if projections(name) else shape[1] ** -0.5 if fan_in else std
            weights[name] = draw(rng, wide, shape)
    return weights


_KINDS: Final = ("wte", "wpe", "attn.c_attn", "mlp.c_fc", "attn.c_proj", "mlp.c_proj")
_SHAPED: Final = "how many shapes are wrong"
_BIASED: Final = "how many biases are not 0"
_SILENT, _RESCALED = "how many gains of the norms are 0", "how many gains of the norms are not 1"
_SAME: Final = "whether lm_head.weight and transformer.wte.weight are the same"
_MEAN: Final = "the mean of wte, as a multiple of its std"
_BOTH: Final = "the std of mlp.c_proj, as a multiple of that of attn.c_proj"
_STDS: Final = {kind: f"the std of {kind}, as a multiple of what it should be" for kind in _KINDS}
_ALL: Final = (_MISSING, _SHAPED, _BIASED, _SILENT, _RESCALED, _SAME, _MEAN, *list(_STDS.values())[:4], _BOTH,
               *list(_STDS.values())[4:])  # fmt: skip


def _measured(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return properties of first weights, up to the first that makes the others meaningless."""
    shapes, layers = dict(case["shapes"]), case["layers"]
    given = call(answer, case)
    if not isinstance(given, Mapping):
        return given
    facts: dict[str, Any] = dict.fromkeys(_ALL, np.nan)
    facts[_MISSING] = len([name for name in shapes if name not in given])
    if facts[_MISSING]:
        return facts
    weights = {name: as_array(given[name]) for name in shapes}
    facts[_SHAPED] = len([name for name, shape in shapes.items() if weights[name].shape != tuple(shape)])
    if facts[_SHAPED]:
        return facts
    biases = np.concatenate([weights[name] for name in shapes if name.endswith(".bias")])
    gains = np.concatenate([weights[name] for name, shape in shapes.items() if len(shape) == 1 and "bias" not in name])
    embedding = weights[_EMBEDDING]
    facts[_BIASED], facts[_SILENT] = int((biases != 0).sum()), int((gains == 0).sum())
    facts[_RESCALED] = int((gains != 1).sum())
    facts[_SAME] = np.array_equal(weights[_HEAD], embedding)
    facts[_MEAN] = _unless_chance(abs(embedding.mean()) / max(embedding.std(), 1e-300), 0.0)
    stds = {}
    for kind, said in _STDS.items():
        here = [weights[name].ravel() for name in shapes if name.endswith(f"{kind}.weight")]
        stds[kind] = float(np.concatenate(here).std())
        right = _residual(layers) if kind.endswith("c_proj") else _STD
        facts[said] = _unless_chance(stds[kind] / right, 1.0)
    facts[_BOTH] = _unless_chance(stds["mlp.c_proj"] / max(stds["attn.c_proj"], 1e-300), 1.0)
    return facts


def _unless_chance(measured: float, right: float) -> float:
    """Return the right number if the measured one differs by chance only: by less than five standard errors."""
    return right if abs(measured - right) < 0.07 else measured


INITIAL = Exercise(
    cases=_sizes,
    solution=gpt2_weights,
    use=_measured,
    properties=True,
    rtol=0.05,
    mistakes=(
        wrong("all are drawn with 0.02", residual=lambda layers: 0.02,
              says="Each block adds to the stream twice, so that after all layers it has grown by √(2 layers). The "
                   "layers that write to the stream, those whose names end with c_proj, start that much smaller."),
        wrong("√layers for √(2 layers)", residual=lambda layers: 0.02 / math.sqrt(layers),
              says="Each block adds to the stream twice, once after attention and once after the MLP: there are "
                   "2 * layers additions."),
        wrong("divided by 2 layers, not by its square root", residual=lambda layers: 0.01 / layers,
              says="Variances add up, so the variance grows by 2 * layers, and the standard deviation by its square "
                   "root."),
        wrong("multiplied by √(2 layers)", residual=lambda layers: 0.02 * math.sqrt(2 * layers),
              says="The sum of many contributions should not grow, so each of them starts smaller: divide."),
        wrong("only the projection of attention is scaled", projections=lambda name: name.endswith("attn.c_proj.weight"),
              says="The MLP also adds to the stream, by its c_proj. Scale that one, too."),
        wrong("only the projection of the MLP is scaled", projections=lambda name: name.endswith("mlp.c_proj.weight"),
              says="Attention also adds to the stream, by its c_proj. Scale that one, too."),
        wrong("all linear layers are scaled", projections=lambda name: name.endswith(_LINEAR),
              says="c_attn and c_fc read from the stream and do not write to it: they keep 0.02."),
        wrong("the variance for the standard deviation", std=0.02**2, residual=lambda layers: 0.02**2 / (2 * layers),
              says="0.02 is the standard deviation, which rng.normal takes, not the variance."),
        wrong("scaled by the fan-in", fan_in=True,
              says="1/√fan_in is lesson 4's rule. GPT-2 has a fixed 0.02, which is near to it for its sizes."),
        wrong("the tied matrix is drawn twice", tied=False,
              says="lm_head.weight and transformer.wte.weight are one matrix: draw it once, and give it both names."),
        wrong("biases are random", biases=0.02,
              says="Biases start at 0; only matrices are drawn."),
        wrong("the gains of the norms are 0", gains=lambda rng, shape: np.zeros(shape),
              says="A norm multiplies by its weight, so with 0 nothing passes through. It starts as 1."),
        wrong("the gains of the norms are random", gains=lambda rng, shape: rng.normal(0, 0.02, shape),
              says="A norm multiplies by its weight. It starts as 1, so that the norm only normalises."),
        wrong("bounds for a standard deviation", draw=lambda rng, std, shape: rng.uniform(-std, std, shape),
              says="Uniform numbers between -a and a have a standard deviation of a / √3, not a."),
        wrong("no negative weights", draw=lambda rng, std, shape: std * rng.random(shape),
              says="rng.random draws numbers between 0 and 1. The weights have mean 0."),
    ),
    hints=(
        "There are four kinds: names that end with .bias, other vectors (the norms' gains), the head, and matrices.",
        'A matrix is drawn by rng.normal(0, std, shape), where std is smaller if name.endswith("c_proj.weight").',
        'For the head: weights["lm_head.weight"] = weights["transformer.wte.weight"].',
    ),
    look="the figure of the stream: with the scale its size at the end does not depend on the number of layers.",
)  # fmt: skip


# -- 9.3: decay groups ------------------------------------------------------------------------------------------------

_TIED: Final = {_HEAD: _EMBEDDING}


def _models(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    small, large = _model_shapes(1, 4, 7, 5), _model_shapes(2, 6, 9, 4)
    separate = {"token.weight": (5, 2), "norm.weight": (2,), "layer.bias": (3,), "filters": (3, 2, 2), "scale": ()}
    return [
        {"shapes": separate, "tied": {}},
        {"shapes": small, "tied": _TIED},
        {"shapes": large, "tied": _TIED},
    ]


def decay_groups(
    shapes: Shapes, tied: Mapping[str, str], *,
    decays: Callable[[str, tuple[int, ...]], bool] = lambda name, shape: len(shape) >= 2, twice: bool = False,
    never: bool = False, swapped: bool = False, left_out: Callable[[str], bool] = lambda name: False,
) -> tuple[list[str], list[str]]:  # fmt: skip
    names = [name for name in shapes if (twice or name not in tied) and not left_out(name)]
    if never:
        names = [name for name in names if name not in tied.values()]
    groups = [[name for name in names if decays(name, shapes[name]) is way] for way in (True, False)]
    return (groups[1], groups[0]) if swapped else (groups[0], groups[1])


def _counted(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return how often each array is in both groups, under any of its names."""
    shapes, tied = dict(case["shapes"]), dict(case["tied"])
    found = call(answer, case)
    if found is None or found is ...:
        return None
    groups = list(found.values()) if isinstance(found, Mapping) else found
    if not isinstance(groups, list | tuple) or len(groups) != 2 or any(isinstance(one, str) for one in groups):
        raise InvalidAnswer("the result should be a tuple of two lists of names: those that decay, and the others.")
    decay, rest = ([tied.get(str(name), str(name)) for name in group] for group in groups)
    counts = {"how many names are unknown": len([name for name in decay + rest if name not in shapes])}
    for name in shapes:
        if name not in tied:
            counts |= {f"how many times {name} decays": decay.count(name)}
            counts |= {f"how many times {name} is left as it is": rest.count(name)}
    return counts


GROUPS = Exercise(
    cases=_models,
    solution=decay_groups,
    use=_counted,
    mistakes=(
        wrong("everything decays", decays=lambda name, shape: True,
              says="Biases and the norms' gains, which have one axis, do not decay: a gain near 1 is no sign of "
                   "overfitting, and a bias is not multiplied by anything that it could amplify."),
        wrong("nothing decays", decays=lambda name, shape: False,
              says="The matrices decay: all that has two axes or more."),
        wrong("the gains of the norms decay", decays=lambda name, shape: not name.endswith("bias"),
              says="The names of the norms' gains end with weight, too, but they have one axis. Go by the number of "
                   "axes, not by the names."),
        wrong("only what is called weight decays, gains too", decays=lambda name, shape: name.endswith("weight"),
              says="The names of the norms' gains end with weight, too, but they have one axis; and matrices may have "
                   "other names. Go by the number of axes."),
        wrong("the embeddings do not decay",
              decays=lambda name, shape: len(shape) >= 2 and not name.endswith(("wte.weight", "wpe.weight", _HEAD,
                                                                                "token.weight")),
              says="Embeddings are matrices, and decay here as in GPT-2's reproduction. (Some programs leave them "
                   "out.)"),
        wrong("only matrices of two axes decay", decays=lambda name, shape: len(shape) == 2,
              says="Arrays of three or more axes, such as those of convolutions, decay, too: two axes or more."),
        wrong("vectors decay, matrices do not", swapped=True,
              says="The two lists are in the wrong order: first the names that decay, those of the matrices."),
        wrong("the tied matrix is there twice", twice=True,
              says="The head is the same array as the embedding. In a group twice, it would be updated twice in each "
                   "step, and decay twice: keep only the name that is not among the keys of tied."),
        wrong("the tied matrix is in no group", never=True,
              says="The head is the embedding, but the embedding itself has to be trained: keep it under its first "
                   "name."),
        wrong("vectors are in no group", left_out=lambda name: name.endswith(("bias", "scale")) or "norm" in name
              or "ln_" in name,
              says="What does not decay is still trained: it belongs to the second list."),
    ),
    hints=(
        "Go through shapes.items(), skip the names in tied, and append each name to one of two lists.",
        "len(shape) >= 2 decides.",
        "decay = [name for name, shape in shapes.items() if len(shape) >= 2 and name not in tied], and likewise.",
    ),
    look="the numbers below the exercise: the second group has many names, but hardly any of the parameters.",
)  # fmt: skip


# -- 9.4: gradient accumulation ---------------------------------------------------------------------------------------

Batches = Sequence[tuple[IntArray, IntArray]]
Parts = Sequence[tuple[Any, int, int]]


def _micro_batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for V, rows, hidden in ((5, (4, 4, 2), 0), (6, (3, 3), 5), (4, (2, 2, 2, 1), 1), (3, (2,), 0)):
        batches = [(rng.integers(0, V, (B, 3)), rng.integers(0, V, (B, 3))) for B in rows]
        batches[0][1].flat[:hidden] = -1
        cases.append({"loss_and_gradient": _bigram(rng.normal(size=(V, V))), "batches": batches})
    return cases


def _bigram(W: FloatArray) -> Callable[[IntArray, IntArray], tuple[float, FloatArray]]:
    """Return a function of ids and targets: the mean loss of a bigram model over its targets, and the gradient."""

    def loss_and_gradient(x: IntArray, y: IntArray) -> tuple[float, FloatArray]:
        ids, targets = x[y >= 0], y[y >= 0]
        slopes = softmax(W[ids])
        slopes[np.arange(len(ids)), targets] -= 1
        gradient = np.zeros_like(W)
        np.add.at(gradient, ids, slopes / len(ids))
        return mean_nats(W[ids], targets), gradient

    return loss_and_gradient


def _weighted(parts: Parts) -> Any:
    return sum(one * n for one, n, _ in parts) / sum(n for _, n, _ in parts)


def _mean_of_means(parts: Parts) -> Any:
    return sum(one for one, _, _ in parts) / len(parts)


def _by_places(parts: Parts) -> Any:
    return sum(one * size for one, _, size in parts) / sum(size for _, _, size in parts)


def _summed(parts: Parts) -> Any:
    return sum(one for one, _, _ in parts)


def accumulate(
    loss_and_gradient: Callable[[IntArray, IntArray], tuple[float, FloatArray]], batches: Batches, *,
    loss: Callable[[Parts], Any] = _weighted, gradient: Callable[[Parts], Any] = _weighted,
) -> tuple[float, FloatArray]:  # fmt: skip
    found = [(*loss_and_gradient(x, y), int((y >= 0).sum()), y.size) for x, y in batches]
    return loss([(one, n, size) for one, _, n, size in found]), gradient([(one, n, size) for _, one, n, size in found])


_LAST: Final[Callable[[Parts], Any]] = lambda parts: parts[-1][0]  # noqa: E731

_MEANS: Final = (
    "The mean of the means gives a target in a small micro-batch more weight than one in a large one. Weight each "
    "micro-batch by its number of targets, and divide by the number of all targets."
)
_PLACES: Final = (
    "Each mean is over the targets that are not -1. Weight it by their number, (y >= 0).sum(), not by y.size."
)

ACCUMULATE = Exercise(
    cases=_micro_batches,
    solution=accumulate,
    parts=("the loss", "the gradient"),
    mistakes=(
        wrong("not divided by the number of micro-batches", loss=_summed, gradient=_summed,
              says="Each micro-batch's loss is a mean, and their sum is as many times too large as there are "
                   "micro-batches. The learning rate would be that much too large."),
        wrong("the gradients are not divided", gradient=_summed,
              says="The gradients of the micro-batches are added, as backward() does. Each is that of a mean, so the "
                   "sum is too large by about the number of micro-batches."),
        wrong("the mean of the means", loss=_mean_of_means, gradient=_mean_of_means, says=_MEANS),
        wrong("the gradient is the mean of the means", gradient=_mean_of_means, says=_MEANS),
        wrong("the loss is the mean of the means", loss=_mean_of_means, says=_MEANS),
        wrong("divided twice", loss=lambda parts: _mean_of_means(parts) / len(parts),
              gradient=lambda parts: _mean_of_means(parts) / len(parts),
              says="It is divided by the number of micro-batches twice, once for each and once at the end."),
        wrong("the gradient is divided twice", gradient=lambda parts: _mean_of_means(parts) / len(parts),
              says="It is divided by the number of micro-batches twice, once for each and once at the end."),
        wrong("weighted, and divided by the number of micro-batches besides",
              loss=lambda parts: _weighted(parts) / len(parts), gradient=lambda parts: _weighted(parts) / len(parts),
              says="With the number of all targets as the divisor it is a mean already. Do not divide by the number of "
                   "micro-batches as well."),
        wrong("weighted, but not divided by the number of targets",
              loss=lambda parts: sum(one * n for one, n, _ in parts),
              gradient=lambda parts: sum(one * n for one, n, _ in parts),
              says="This is the sum over all targets. Divide by their number."),
        wrong("only the last micro-batch", loss=_LAST, gradient=_LAST,
              says="The gradients were set to 0 between the micro-batches, so only the last one counts. They are set "
                   "to 0 once, before the first."),
        wrong("the gradient of the last micro-batch", gradient=_LAST,
              says="The gradients were set to 0 between the micro-batches, so only the last one counts. They are set "
                   "to 0 once, before the first."),
        wrong("the loss of the last micro-batch", loss=_LAST,
              says="The loss that is returned is that of the last micro-batch only. It is a mean over all targets, as "
                   "the gradient is."),
        wrong("weighted by places, not by targets", loss=_by_places, gradient=_by_places, says=_PLACES),
        wrong("the gradient is weighted by places", gradient=_by_places, says=_PLACES),
    ),
    hints=(
        "A mean times the number of its targets is a sum, and sums can be added.",
        "For each micro-batch: n = (y >= 0).sum(), then total += n * loss, and the same for the gradient.",
        "At the end divide both by the number of all targets.",
    ),
    look="the comparison below the exercise: in four parts and in one piece, the gradient is the same.",
)  # fmt: skip


# -- 9.5: warm-up and cosine ------------------------------------------------------------------------------------------


def _steps(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    settings = {"highest": 6e-4, "lowest": 6e-5, "warmup": 10, "steps": 60}
    return [
        *({"step": step, **settings} for step in (0, 4, 9, 10, 22, 35, 59, 60, 75)),
        {"step": 13, "highest": 2e-3, "lowest": 1e-3, "warmup": 4, "steps": 24},
    ]


def rate_at(
    step: int, highest: float, lowest: float, warmup: int, steps: int, *, first: int = 1, longer: int = 0,
    done: Callable[[int, int, int], float] = lambda step, warmup, steps: (step - warmup) / (steps - warmup),
    half: float = 0.5, one: float = 1.0, turn: float = math.pi, floor: bool = True, scaled: bool = True,
    after: Callable[[float], float] | None = lambda lowest: lowest, shape: Callable[[float], float] = math.cos,
    start: Callable[[float], float] = lambda lowest: 0.0, warm: bool = True,
) -> float:  # fmt: skip
    if warm and step < warmup:
        begin = start(lowest)
        return begin + (highest - begin) * (step + first) / (warmup + longer)
    if after is not None and step > steps:
        return after(lowest)
    share = half * (one + shape(turn * done(step, warmup, steps)))
    return (lowest if floor else 0.0) + share * (highest - (lowest if scaled else 0.0))


def _straight(step: int, highest: float, lowest: float, warmup: int, steps: int) -> float:
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest - (highest - lowest) * min(1.0, (step - warmup) / (steps - warmup))


RATE = Exercise(
    cases=_steps,
    solution=rate_at,
    atol=1e-10,
    mistakes=(
        wrong("the warm-up begins at 0", first=0,
              says="Step 0 would have the rate 0 and change nothing. Step number 0 is the first of warmup steps: it "
                   "has highest * 1 / warmup."),
        wrong("divided by warmup + 1", longer=1,
              says="This is nanoGPT's form, in which the last step of the warm-up stays below the highest rate. In the "
                   "lecture's it reaches it: divide by warmup."),
        wrong("the warm-up begins at the lowest rate", start=lambda lowest: lowest,
              says="The warm-up rises in proportion to the number of steps, from almost nothing. lowest is for the end "
                   "of the training only."),
        wrong("no warm-up", warm=False,
              says="The first warmup steps rise in a straight line to the highest rate."),
        wrong("the decay is counted over all steps", done=lambda step, warmup, steps: step / steps,
              says="The cosine begins after the warm-up: its share is (step - warmup) / (steps - warmup), so that it "
                   "starts at 0 and ends at 1."),
        wrong("the decay takes as long as all steps", done=lambda step, warmup, steps: (step - warmup) / steps,
              says="The cosine has steps - warmup steps to go down, not steps: as it is, it does not reach the end."),
        wrong("the decay is not shifted by the warm-up", done=lambda step, warmup, steps: step / (steps - warmup),
              says="The cosine begins when the warm-up has ended: subtract warmup from the step."),
        wrong("the decay ends one step early",
              done=lambda step, warmup, steps: min(1.0, (step - warmup) / (steps - warmup - 1)),
              says="The lowest rate is reached at step number steps, not one before it."),
        wrong("the minimum is not kept after the end", after=None,
              says="After the last step the cosine rises again. From there on the rate is the lowest."),
        wrong("0 after the end", after=lambda lowest: 0.0,
              says="After the last step the rate stays at the lowest; it does not fall to 0."),
        wrong("the highest rate after the end", lambda **case: case["highest"] if case["step"] > case["steps"]
              else rate_at(**case),
              says="After the last step the rate stays at the lowest."),
        wrong("the half is missing", half=1.0,
              says="1 + cos goes from 2 to 0. Half of it goes from 1 to 0."),
        wrong("1 + is missing", half=1.0, one=0.0,
              says="cos goes from 1 to -1, so the rate would become negative. (1 + cos) / 2 goes from 1 to 0."),
        wrong("half of a cosine without 1 +", one=0.0,
              says="cos / 2 goes from 1/2 to -1/2. (1 + cos) / 2 goes from 1 to 0."),
        wrong("π is missing", turn=1.0,
              says="The angle goes from 0 to π, half a turn: multiply the share by π."),
        wrong("a whole turn", turn=2 * math.pi,
              says="With 2 π the cosine comes back up at the end. Half a turn, π, goes down once."),
        wrong("a sine", shape=math.sin,
              says="A sine begins in the middle and rises. A cosine begins at 1 and falls."),
        wrong("the cosine rises", shape=lambda angle: -math.cos(angle),
              says="1 - cos goes from 0 up to 2. The rate should fall: 1 + cos."),
        wrong("the lowest rate is not added", floor=False,
              says="The part that falls is highest - lowest, on top of the lowest rate: add it."),
        wrong("the lowest rate is added on top of the highest", scaled=False,
              says="At the end of the warm-up this is highest + lowest. Only highest - lowest is multiplied by the "
                   "cosine."),
        wrong("down to 0", floor=False, scaled=False,
              says="The rate falls to 0. It should stop at the lowest: lowest + ... * (highest - lowest)."),
        wrong("a straight line", _straight,
              says="The rate falls in a straight line. Half a cosine falls slowly at first, and slowly at the end."),
    ),
    hints=(
        "There are three cases, for which return comes early: step < warmup, step > steps, and between them.",
        "In the warm-up: highest * (step + 1) / warmup.",
        "share = (step - warmup) / (steps - warmup), and 0.5 * (1 + math.cos(math.pi * share)) goes from 1 to 0.",
    ),
    look="the curve below the exercise: where does it begin, where is it highest, and where does it end?",
)  # fmt: skip


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
    new_of: Callable[[FloatArray, FloatArray], FloatArray] = lambda old, block: np.maximum(old, block),
    factor_of: Callable[[FloatArray, FloatArray], FloatArray] = lambda old, new: np.exp(old - new),
    counted_from: Callable[[FloatArray, FloatArray], FloatArray] = lambda old, new: new, of_total: bool = True,
    of_read: bool = True, carried: bool = True, divided: bool = False, kept: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    new = new_of(largest, scores.max(1))
    factor = factor_of(largest, new) * (1.0 if carried else 0.0)
    counts = np.exp(scores - counted_from(largest, new)[:, None])
    more = (factor if of_total else 1.0) * total + counts.sum(1)
    mixed = (factor[:, None] if of_read else 1.0) * read + counts @ v
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
    q: FloatArray, k: FloatArray, v: FloatArray, size: int, *, scale: Callable[[int, int], float] = lambda D, _: D**-0.5,
    hidden: Callable[[int, int, FloatArray], FloatArray] = lambda i, j, late: late, skipped: bool = True,
    ahead: int = 0, last: bool = True, divided: bool = True, lowest: float = -np.inf,
    added: Callable[..., Any] = add_block,
) -> FloatArray:  # fmt: skip
    T, D = q.shape
    out = np.zeros_like(v)
    ends = T if last else T // size * size
    for i in range(0, ends, size):
        rows = q[i : i + size]
        R = len(rows)
        largest, total, read = np.full(R, lowest), np.zeros(R), np.zeros((R, v.shape[1]))
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


def _triangles(i: int, j: int, late: FloatArray) -> FloatArray:
    return ~np.tri(*late.shape, dtype=bool)  # the same triangle in each block


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
              says="The table of all scores is in memory at once, and large scores overflow in exp. Cut the queries and "
                   "the keys into blocks of size rows, and call add_block for each."),
        wrong("blocks of the future are computed", skipped=False,
              says="Blocks whose keys all come after the queries are computed, and then hidden. Skip them: that is half "
                   "of the work."),
        wrong("the mask of the diagonal block is forgotten", hidden=lambda i, j, late: np.zeros_like(late),
              says="Blocks of the future are skipped, but the block on the diagonal is half future: within it a "
                   "position may read only keys up to its own."),
        wrong("no mask at all", skipped=False, hidden=lambda i, j, late: np.zeros_like(late),
              says="Every position reads the whole text. Skip the blocks of the future, and mask the one on the "
                   "diagonal."),
        wrong("every block is masked like the diagonal one", hidden=_triangles,
              says="The triangle belongs to the diagonal block only. Blocks of earlier keys are read as a whole."),
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
        "For each i begin with np.full(R, -np.inf), np.zeros(R) and np.zeros((R, D)); after the inner loop, "
        "out[i : i + size] = read / total[:, None].",
    ),
    look="the picture of the blocks above the exercise: which are skipped, and which are masked?",
)  # fmt: skip

EXERCISES = (FILE, INITIAL, GROUPS, ACCUMULATE, RATE, BLOCK, BLOCKS)
