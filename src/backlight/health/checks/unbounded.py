"""Whether the loss has a floor."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding, FindingText
from backlight.health.thresholds import limit

LOSS_UNBOUNDED = FindingText(
    id="loss-unbounded",
    title="The loss falls below 0 without end, and ever faster: a term of it has the wrong sign.",
    because="An optimiser makes the loss as small as it can. A term that is subtracted where it should be added can be "
    "made as negative as the weights allow, and outweighs all others.",
    try_this=(
        "Print each term of the loss along the training: which one runs away?",
        (
            "A divergence or a penalty is added: loss = error + beta * kl; with mu and log_var, kl = -0.5 * "
            "(1 + log_var - mu**2 - log_var.exp()).sum(1).mean()."
        ),
        "A score that is to be maximised is subtracted, and needs a bound: a penalty, or clipped weights.",
    ),
    figures=("loss", "update-to-data"),
    about="""
    The loss is below 0, ten times as far as it began from 0, and falls faster in each quarter of the training. A
    negative logarithm of a density may be below 0, but falls ever more slowly.
    """,
    explained_by=frozenset({"loss-sign", "loss-of-probabilities", "targets-outside-range"}),
)


@check("floor of the loss", LOSS_UNBOUNDED)
def loss_unbounded(context: Context) -> list[Finding] | None:
    """A loss that runs off to minus infinity."""
    progress = context.progress
    losses = [one.loss for one in context.seen.losses if math.isfinite(one.loss)]
    if not context.trained or progress is None or not progress.long_enough or len(losses) < limit("records of a trend"):
        return None
    quarters = [float(np.median(part)) for part in np.array_split(np.array(losses), 4)]
    falls = -np.diff(quarters)
    far = -quarters[-1] > limit("size of a loss without floor") * max(abs(progress.start), 1.0)
    faster = bool((falls > 0).all() and falls[2] > falls[1] > falls[0])
    if not (far and faster):
        return []
    return [
        context.finding(
            LOSS_UNBOUNDED,
            severity="serious",
            evidence=(
                Evidence(what="loss of the first minibatch", value=progress.start),
                *(
                    Evidence(what=f"loss in quarter {n} of the training", value=one)
                    for n, one in enumerate(quarters, 1)
                ),
            ),
        )
    ]
