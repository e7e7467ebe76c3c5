"""Whether attention begins as a mean over positions, so that it can learn where to look."""

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Evidence, Finding, FindingText
from backlight.health.thresholds import limit

ATTENTION_SATURATED = FindingText(
    id="attention-saturated",
    title="Attention looks at one position only from the first step: the scores before {layer} are too large.",
    because="A softmax that is sure of one position passes next to no gradient to the scores. Where the network looks "
    "is then decided by its random first weights, and hardly learnt.",
    try_this=(
        "Divide the scores by the square root of the size of a head: q @ k.transpose(-2, -1) / math.sqrt(head_size).",
        Advice(
            torch="F.scaled_dot_product_attention(q, k, v) does that itself; do not scale q or k before it.",
            ours="CausalSelfAttention does that itself.",
        ),
        "Without a norm before the queries and keys, large activations make large scores: normalise first.",
    ),
    figures=("activations",),
    about="""
    Of weights p over T positions, 1 / Σ p² is the number of positions that are looked at in effect: T where all are the
    same, 1 where all weight is on one. At the first step scores of variance 1 leave more than half of them. Vaswani et
    al. 2017, arXiv:1706.03762, 3.2.1, divide by √d for this reason.
    """,
    explained_by=frozenset({"input-scale", "exploding-signal"}),
)


@check("attention at the start", ATTENTION_SATURATED)
def attention_saturated(context: Context) -> list[Finding] | None:
    """A softmax inside of the network that begins with all weight on one position."""
    last = context.output_layer
    depth = context.layers[last].depth if last is not None else None
    found = []
    asked = False
    for facts, record in context.layers_of(context.first):
        positions = facts.reads_shape[-1] if facts.reads_shape else 0
        inside = depth is not None and facts.depth is not None and facts.depth < depth
        if facts.role != "softmax" or not inside or positions < limit("positions of attention"):
            continue
        asked = True
        together = record.output.rms**2 * positions  # the mean of Σ p² over rows
        if together > limit("weight on one position"):
            found.append((facts.name, 1 / together, positions))
    if not found:
        return [] if asked else None
    return [
        context.finding(
            ATTENTION_SATURATED,
            severity="note" if context.learns else "warning",
            where=[name for name, _, _ in found],
            evidence=(
                Evidence(what=f"positions looked at in {name}, in effect", value=count, expected=f"up to {positions}")
                for name, count, positions in found[:3]
            ),
            values={"layer": found[0][0]},
        )
    ]
