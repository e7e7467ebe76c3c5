"""Whether the layers make sense in this order, and with these settings."""

from collections import Counter

import numpy as np

from backlight.health.check import check
from backlight.health.context import MULTIPLIES, Context
from backlight.health.findings import Advice, Evidence, Finding, FindingText, percent, several
from backlight.health.thresholds import limit
from backlight.watch.records import LayerFacts

_IS_LINEAR = frozenset({"shape", "dropout", "batch_norm"})

UNREGISTERED = FindingText(
    id="unregistered-layers",
    title="The output depends on {count} not registered in the module, such as those of layers in a Python list.",
    because="Only modules and parameters that are attributes of the module are found by parameters(), to(device), "
    "state_dict() and train(): the others are never stepped, moved or saved.",
    try_this=(
        "nn.ModuleList([...]) in place of a list, nn.ModuleDict in place of a dict, nn.ParameterList for parameters.",
        "A tensor that is to learn: self.scale = nn.Parameter(torch.ones(n)).",
    ),
    figures=("update-to-data",),
    about="""
    By the graph, the output depends on parameters that are not among the module's own, nor in the optimiser. A layer in
    a Python list or dict, or behind a function's closure, is used and not registered.
    """,
)


@check("parameters that the network uses", UNREGISTERED)
def unregistered_layers(context: Context) -> list[Finding] | None:
    """Parameters below the output that neither the module nor the optimiser has."""
    loss, optimiser = context.seen.loss, context.seen.optimiser
    if loss is None or not loss.chain:
        return None
    own = [one for one in context.parameters.values() if one.reached]
    if not loss.foreign or not own or (optimiser is not None and optimiser.foreign):
        return []
    return [
        context.finding(
            UNREGISTERED,
            severity="serious",
            evidence=(
                Evidence(what="unregistered parameters that the output depends on", value=loss.foreign),
                Evidence(what="registered parameters", value=len(own)),
            ),
            values={"count": several(loss.foreign, "parameter")},
        )
    ]


DROPOUT = FindingText(
    id="dropout-too-high",
    title="Dropout of {share}% leaves too little to learn from.",
    because="Each unit gets a few of its inputs, scaled up to replace the rest: the noise is larger than the signal.",
    try_this=(
        Advice(torch="nn.Dropout(0.1).", ours="Dropout(0.1, rng=rng), or --dropout 0.1."),
        "None at all until the network fits its training data; more only if it then overfits.",
    ),
    figures=("loss",),
    about="""
    More than 60% dropped, and nothing is learnt. Srivastava et al. 2014 drop 20% of inputs and 50% of hidden units.
    """,
)


@check("dropout", DROPOUT)
def dropout_too_high(context: Context) -> list[Finding] | None:
    """So much dropout that nothing can be learnt. Not checked in a network that learns."""
    shares = {one.name: share for one in context.seen.layers if (share := _dropped(one)) is not None}
    if not shares:
        return None
    high = sorted((n for n, share in shares.items() if share > limit("dropout")), key=lambda n: -shares[n])
    if context.learns or not high or context.progress is None or not context.progress.long_enough:
        return []
    last = context.seen.evaluations[-1] if context.seen.evaluations else None
    share = percent(shares[high[0]])
    return [
        context.finding(
            DROPOUT,
            severity="serious",
            where=high,
            evidence=(
                Evidence(what="dropped", value=share, unit="%", expected="10% to 50%"),
                Evidence(what="loss in training, with dropout", value=context.progress.late),
                *((Evidence(what="held-out loss, without", value=last.dev),) if last else ()),
            ),
            values={"share": f"{share:g}"},
        )
    ]


NO_NONLINEARITY = FindingText(
    id="no-nonlinearity",
    title="No non-linearity between the layers {before} and {after}.",
    because="Two linear layers in a row are one linear layer: (x W) V = x (W V). The second adds only parameters.",
    try_this=(
        Advice(torch="nn.ReLU(), nn.GELU() or nn.Tanh() between them.", ours="ReLU(), GELU() or Tanh() between them."),
        "Or one of the two layers alone.",
    ),
    figures=("activations",),
    about="""
    Between two linear layers there is nothing, or only what is linear too (dropout, a reshape, a batch norm): together
    they are one linear layer. A first layer that is narrower than both sides is not reported: it limits the rank, which
    can be intended.
    """,
)


@check("non-linearities", NO_NONLINEARITY)
def no_nonlinearity(context: Context) -> list[Finding] | None:
    """Two matrix products with nothing non-linear in between, which are one."""
    products = context.called(*MULTIPLIES)
    if len(products) < 2:
        return None
    # a layer that is called several times reads something else each time
    once = [one for one in products if one.calls < 2]
    pairs = [(before, one) for one in once for before in _linear_before(context, one) if before.calls < 2]
    pairs = [
        (before, one) for before, one in pairs if not _is_bottleneck(before, one) and not _goes_around(context, before)
    ]
    if not pairs:
        return []
    return [
        context.finding(
            NO_NONLINEARITY,
            severity="serious" if len(pairs) >= len(products) - 1 else "warning",
            where=dict.fromkeys(one.name for pair in pairs for one in pair),
            evidence=(
                Evidence(what="linear layers in a row with nothing non-linear between", value=len(pairs)),
                Evidence(what="linear layers", value=len(products)),
            ),
            values={"before": pairs[0][0].name, "after": pairs[0][1].name},
        )
    ]


BIAS_BEFORE_NORM = FindingText(
    id="bias-before-batch-norm",
    title="A layer before a batch norm has a bias, which the norm cancels.",
    because="Batch norm subtracts each channel's mean, and the bias with it: its gradient is 0 up to rounding, and "
    "weight decay or Adam move it by noise. The norm has a bias of its own.",
    try_this=(
        Advice(
            torch="bias=False in the layer before: nn.Linear(n, m, bias=False), nn.Conv2d(..., bias=False).",
            ours="bias=False in the layer before: Linear(n, m, bias=False, rng=rng).",
        ),
    ),
    figures=("preactivations",),
    about="""
    Batch norm subtracts the mean, and with it the bias before it. Its gradient is rounding noise. Lecture 4.
    """,
)


@check("bias before batch norm", BIAS_BEFORE_NORM)
def bias_before_batch_norm(context: Context) -> list[Finding] | None:
    """A bias that batch norm cancels."""
    norms = context.called("batch_norm")
    if not norms:
        return None
    found = [
        context.layers[name]
        for norm in norms
        for name in norm.reads
        if name in context.layers and context.layers[name].role in MULTIPLIES and context.layers[name].bias
    ]
    if not found:
        return []
    biases = [name for one in found for name in one.parameters if name.endswith("bias")]
    sizes = [
        one.gradient.rms for name in biases for one in context.histories.get(name, []) if one.gradient is not None
    ]  # fmt: skip
    gradient = (Evidence(what="gradient of the bias (rms)", value=float(np.median(sizes))),) if sizes else ()
    return [
        context.finding(
            BIAS_BEFORE_NORM,
            severity="note",
            where=dict.fromkeys(one.name for one in found),
            evidence=(Evidence(what="layers with such a bias", value=len(found)), *gradient),
        )
    ]


SMALL_BATCH = FindingText(
    id="batch-norm-small-batch",
    title="Batch norm sees {rows} examples at a time.",
    because="The mean and variance of so few are mostly noise: in training every example is shifted by the others, and "
    "in evaluation the running statistics differ from those it was trained with.",
    try_this=(
        "Larger batches, or gradients accumulated over several batches with frozen norms.",
        Advice(
            torch="nn.LayerNorm or nn.GroupNorm(groups, channels), which need no batch.",
            ours="LayerNorm(channels), which needs no batch; or --batch-size 32.",
        ),
    ),
    figures=("preactivations", "loss"),
    about="""
    Mean and variance over a handful of examples are mostly noise. Wu & He 2018, arXiv:1803.08494, figure 1: ImageNet
    error rises from 23.6% at batch 32 to 24.8 at 8, 27.3 at 4 and 34.7 at 2.
    """,
)


@check("batch size under batch norm", SMALL_BATCH)
def batch_norm_small_batch(context: Context) -> list[Finding] | None:
    """Batch statistics of a handful of examples."""
    rows: dict[str, list[int]] = {}
    for record in context.records if context.trained else ():
        for one in record.layers:
            if one.batch is not None:
                rows.setdefault(one.name, []).append(min(one.batch.rows, record.batch_size or one.batch.rows))
    if not rows:
        return None
    usual = {name: float(np.median(found)) for name, found in rows.items()}
    small = [name for name, count in usual.items() if count < limit("examples for batch norm")]
    if not small:
        return []
    enough = f"{limit('examples for batch norm'):g} or more, better 32"
    return [
        context.finding(
            SMALL_BATCH,
            severity="warning",
            where=small,
            evidence=(
                Evidence(
                    what="examples that a mean and variance are taken over", value=usual[small[0]], expected=enough
                ),
            ),
            values={"rows": f"{usual[small[0]]:g}"},
        )
    ]


def _linear_before(context: Context, one: LayerFacts) -> list[LayerFacts]:
    """Return the matrix products whose output reaches this one with nothing non-linear in between."""
    found, open_names, met = [], list(one.reads), set[str]()
    while open_names:
        name = open_names.pop()
        if name in met or name not in context.layers:
            continue
        met.add(name)
        facts = context.layers[name]
        if facts.role in MULTIPLIES:
            found.append(facts)
        elif facts.role in _IS_LINEAR:
            open_names += facts.reads
    return found


def _goes_around(context: Context, before: LayerFacts) -> bool:
    """Return whether a product's output may also be added to what later layers give, as in a residual network.

    Then the two products are not one. A later layer of which it is not known what it reads may read such a sum.
    """
    later = [one for one in context.seen.layers if (one.depth or 0) > (before.depth or 0)]
    return any(not one.reads or (before.name in one.reads and one.role == "other") for one in later)


def _is_bottleneck(before: LayerFacts, one: LayerFacts) -> bool:
    """Return whether the first of two products narrows: then it limits the rank, which can be intended."""
    if before.settings.get("groups", 1) != 1 or one.settings.get("groups", 1) != 1:
        return True  # a convolution factored into depth and channels
    if before.fan_out is None or before.fan_in is None or one.fan_out is None:
        return False
    return before.fan_out < min(before.fan_in, one.fan_out)


def _dropped(one: LayerFacts) -> float | None:
    share = one.settings.get("p") if one.role == "dropout" else one.settings.get("dropout")
    return float(share) if isinstance(share, int | float) else None


LAYERS_SHARED = FindingText(
    id="layers-shared",
    title="One layer stands in a list {count} times: its entries share their weights.",
    because="[layer] * n repeats the layer, and makes no new one. All entries are the same module: what is meant to "
    "be several layers, or heads of several tasks, is one.",
    try_this=(
        "nn.ModuleList([nn.Linear(64, 64) for _ in range(n)]), or copy.deepcopy(layer) for each.",
        "If the weights are to be shared, as in a network that repeats a layer, no action is needed.",
    ),
    figures=("loss",),
    about="""
    The places of each module in nn.ModuleList and nn.Sequential are compared. Sharing may be meant, so it is noted, and
    a warning if the network does not learn.
    """,
)


@check("entries of lists of layers", LAYERS_SHARED)
def layers_shared(context: Context) -> list[Finding] | None:
    """Layers that stand several times in one list."""
    if context.seen.framework != "torch" or not context.layers:
        return None
    places = {name: _places(one) for name, one in context.layers.items() if one.parameters}
    shared = [name for name, count in places.items() if count > 1]
    if not shared:
        return []
    most = max(places.values())
    return [
        context.finding(
            LAYERS_SHARED,
            severity="warning" if context.stuck else "note",
            where=shared[:6],
            evidence=(Evidence(what="places of this layer in its list", value=most, expected="1"),),
            values={"count": most},
        )
    ]


def _places(facts: LayerFacts) -> int:
    """Return in how many places of one list a layer stands: how many of its names differ in one number only."""
    names = [name.split(".") for name in (facts.name, *facts.aliases)]
    lists = Counter(
        (*name[:at], "*", *name[at + 1 :]) for name in names for at, part in enumerate(name) if part.isdigit()
    )
    return max(lists.values(), default=1)
