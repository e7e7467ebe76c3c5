"""Whether the layers make sense in this order, and with these settings."""

import numpy as np

from backlight.health.context import MULTIPLIES, Context
from backlight.health.findings import Evidence, Finding, percent
from backlight.health.thresholds import limit
from backlight.watch.records import LayerFacts

_BENDS_NOTHING = frozenset({"shape", "dropout", "batch_norm"})


def no_nonlinearity(context: Context) -> list[Finding] | None:
    """Two matrix products with nothing bent in between, which are one."""
    products = context.called(*MULTIPLIES)
    if len(products) < 2:
        return None
    pairs = [(before, one) for one in products for before in _straight_before(context, one)]
    pairs = [(before, one) for before, one in pairs if not _is_bottleneck(before, one)]
    if not pairs:
        return []
    return [
        Finding(
            id="no-nonlinearity",
            severity="serious" if len(pairs) >= len(products) - 1 else "warning",
            title=f"Nothing non-linear stands between the layers {pairs[0][0].name} and {pairs[0][1].name}.",
            where=tuple(dict.fromkeys(one.name for pair in pairs for one in pair)),
            evidence=(
                Evidence(what="neighbouring linear layers with nothing non-linear between", value=len(pairs)),
                Evidence(what="linear layers", value=len(products)),
            ),
            because="A linear layer of a linear layer is one linear layer: (x W) V = x (W V). The second adds "
            "parameters and no power.",
            try_this=(
                context.say(
                    torch="nn.ReLU(), nn.GELU() or nn.Tanh() between them.",
                    ours="ReLU(), GELU() or Tanh() between them.",
                ),
                "Or one of the two layers alone.",
            ),
        )
    ]


def bias_before_batch_norm(context: Context) -> list[Finding] | None:
    """A bias that batch norm takes away again."""
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
        Finding(
            id="bias-before-batch-norm",
            severity="note",
            title="A layer before a batch norm has a bias, which the norm takes away.",
            where=tuple(dict.fromkeys(one.name for one in found)),
            evidence=(Evidence(what="layers with such a bias", value=len(found)), *gradient),
            because="Batch norm subtracts each channel's mean, and the bias with it: its gradient is 0 up to rounding, "
            "and weight decay or Adam move it by noise. The norm has a bias of its own.",
            try_this=(
                context.say(
                    torch="bias=False in the layer before: nn.Linear(n, m, bias=False), nn.Conv2d(..., bias=False).",
                    ours="bias=False in the layer before: Linear(n, m, bias=False, rng=rng).",
                ),
            ),
        )
    ]


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
    return [
        Finding(
            id="batch-norm-small-batch",
            severity="warning",
            title=f"Batch norm sees {usual[small[0]]:g} examples at a time.",
            where=tuple(small),
            evidence=(
                Evidence(
                    what="examples that a mean and variance are taken over", value=usual[small[0]],
                    expected=f"{limit('examples for batch norm'):g} or more, better 32",
                ),
            ),
            because="The mean and variance of so few are mostly chance: in training every example is shifted by its "
            "neighbours, and in evaluation the running statistics are others than those it was trained with.",
            try_this=(
                "Larger batches, or gradients of several gathered before a step together with frozen norms.",
                context.say(
                    torch="nn.LayerNorm or nn.GroupNorm(groups, channels), which need no batch.",
                    ours="LayerNorm(channels), which needs no batch; or --batch-size 32.",
                ),
            ),
        )
    ]  # fmt: skip


def dropout_too_high(context: Context) -> list[Finding] | None:
    """So much dropped that nothing can be learnt. Not judged of a net that learns."""
    shares = {one.name: share for one in context.seen.layers if (share := _dropped(one)) is not None}
    if not shares:
        return None
    high = sorted((n for n, share in shares.items() if share > limit("dropout")), key=lambda n: -shares[n])
    if context.learns or not high or context.progress is None or not context.progress.long_enough:
        return []
    last = context.seen.evaluations[-1] if context.seen.evaluations else None
    return [
        Finding(
            id="dropout-too-high",
            severity="serious",
            title=f"Dropout of {percent(shares[high[0]]):g}% leaves too little to learn from.",
            where=tuple(high),
            evidence=(
                Evidence(what="dropped", value=percent(shares[high[0]]), unit="%", expected="10% to 50%"),
                Evidence(what="loss in training, with dropout", value=context.progress.late),
                *((Evidence(what="held-out loss, without", value=last.dev),) if last else ()),
            ),
            because="Each unit hears a few of its inputs, multiplied to make up for the rest: the noise is larger than "
            "the signal.",
            try_this=(
                context.say(torch="nn.Dropout(0.1).", ours="Dropout(0.1, rng=rng), or --dropout 0.1."),
                "None at all until the net fits its training data; more only if it then overfits.",
            ),
        )
    ]


def _straight_before(context: Context, one: LayerFacts) -> list[LayerFacts]:
    """Return the matrix products whose output reaches this one with nothing bent in between."""
    found, open_names, met = [], list(one.reads), set[str]()
    while open_names:
        name = open_names.pop()
        if name in met or name not in context.layers:
            continue
        met.add(name)
        facts = context.layers[name]
        if facts.role in MULTIPLIES:
            found.append(facts)
        elif facts.role in _BENDS_NOTHING:
            open_names += facts.reads
    return found


def _is_bottleneck(before: LayerFacts, one: LayerFacts) -> bool:
    """Return whether the first of two products narrows: then it holds down the rank, which can be meant."""
    if before.settings.get("groups", 1) != 1 or one.settings.get("groups", 1) != 1:
        return True  # a convolution taken apart into depth and channels
    if before.fan_out is None or before.fan_in is None or one.fan_out is None:
        return False
    return before.fan_out < min(before.fan_in, one.fan_out)


def _dropped(one: LayerFacts) -> float | None:
    share = one.settings.get("p") if one.role == "dropout" else one.settings.get("dropout")
    return float(share) if isinstance(share, int | float) else None
