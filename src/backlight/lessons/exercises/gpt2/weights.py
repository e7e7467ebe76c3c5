"""Exercises 9.1 to 9.3: the names and layouts of GPT-2's weights, the first weights, and which of them decay."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong
from backlight.lessons.exercises.helpers import as_array
from backlight.lessons.exercises.outcomes import InvalidAnswer

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
        wrong("the positions are transposed", linear=lambda name, _: name.endswith((*_LINEAR, "wpe.weight")),
              says="wpe has a row for each position, in the file and in the model. It is no linear layer."),
        wrong("the embedding is transposed", linear=lambda name, _: name.endswith((*_LINEAR, "wte.weight")),
              says="wte has a row for each token, in the file and in the model. It is no linear layer."),
        wrong("reshaped, not transposed", turned=lambda array: array.reshape(array.shape[::-1]),
              says="reshape to the other shape leaves the numbers in their order in memory, so they land in the "
                   "wrong places. A transpose, array.T, moves them."),
        wrong("the projections are not transposed", linear=lambda name, _: name.endswith(_LINEAR[::2]),
              says="The two layers called c_proj are stored as (inputs, outputs), like c_attn and c_fc: transpose "
                   "them, too. attn.c_proj is square, so nothing complains about it."),
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
        wrong("the embedding is missing", lambda state: {
                  name: array for name, array in from_gpt2(state).items() if name != _EMBEDDING},
              says="transformer.wte.weight is not there. The array is in the dictionary twice, under this name and as "
                   "lm_head.weight."),
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


_T: Final = 60
"""The number of positions."""


def _sizes(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"shapes": _model_shapes(layers, 48, 400, _T), "layers": layers, "rng": rng}
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
    independent=True,
    sentences={
        _BOTH: "The std of mlp.c_proj is {ours:.3g} times that of attn.c_proj; both should be the same.",
        _MEAN: "The mean of wte is {ours:.3g} times its std; it should be 0, but for chance.",
        **{said: f"The std of {kind} is {{ours:.3g}} times what it should be." for kind, said in _STDS.items()},
    },
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
        wrong("only the projection of attention is scaled",
              projections=lambda name: name.endswith("attn.c_proj.weight"),
              says="The MLP also adds to the stream, by its c_proj. Scale that one, too."),
        wrong("only the projection of the MLP is scaled", projections=lambda name: name.endswith("mlp.c_proj.weight"),
              says="Attention also adds to the stream, by its c_proj. Scale that one, too."),
        wrong("all linear layers are scaled", projections=lambda name: name.endswith(_LINEAR),
              says="c_attn and c_fc read from the stream and do not write to it: they keep 0.02."),
        wrong("the variance for the standard deviation", std=0.02**2, residual=lambda layers: 0.02**2 / (2 * layers),
              says="0.02 is the standard deviation, which rng.normal takes, not the variance."),
        wrong("scaled by the fan-in", fan_in=True,
              says="1/√fan_in is lesson 4's rule. GPT-2 has a fixed 0.02, which is near to it for its sizes."),
        wrong("0.02 as the mean", draw=lambda rng, std, shape: rng.normal(std, 1, shape),
              says="The first argument of rng.normal is the mean, and the second the standard deviation: "
                   "rng.normal(0, std, shape)."),
        wrong("the positions start at 0", draw=lambda rng, std, shape: rng.normal(0, std, shape) * (shape[0] != _T),
              says="wpe is a matrix like the others, and is drawn with 0.02."),
        wrong("0.2 for 0.02", std=0.2, residual=lambda layers: 0.2 / math.sqrt(2 * layers),
              says="The standard deviation is ten times too large. With it the first loss is far above ln V."),
        wrong("the tied matrix is drawn twice", tied=False,
              says="lm_head.weight and transformer.wte.weight are one matrix: draw it once, and give it both names."),
        wrong("biases do not start at 0", biases=0.02,
              says="Biases start at 0: no numbers are drawn for them, and what starts at 1 are the norms' gains. "
                   "Which of your conditions applies to a name that ends with .bias?"),
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
    separate = {
        "token.weight": (5, 2), "norm.weight": (2,), "layer.weight": (2, 3), "layer.bias": (3,), "filters": (3, 2, 2),
        "scale": (),
    }  # fmt: skip
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
        wrong("only arrays of more than two axes decay", decays=lambda name, shape: len(shape) > 2,
              says="Matrices have two axes, and they decay: len(shape) >= 2."),
        wrong("vectors decay, matrices do not", swapped=True,
              says="The two lists are in the wrong order: first the names that decay, those of the matrices."),
        wrong("the tied matrix is there twice", twice=True,
              says="The head is the same array as the embedding. In a group twice, it would be updated twice in each "
                   "step, and decay twice: keep only the name that is not among the keys of tied."),
        wrong("the second name of the tied matrix is among the others",
              lambda shapes, tied: (decay_groups(shapes, tied)[0], decay_groups(shapes, tied)[1] + list(tied)),
              says="The head is the same array as the embedding, which is in the first list already: a name among the "
                   "keys of tied is in neither list."),
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
