"""Whether what is learnt holds for what was not seen; and what is left when nothing else explains a bad loss."""

import math

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding
from backlight.health.thresholds import limit


def overfitting(context: Context) -> list[Finding] | None:
    """A held-out loss that rises again while the training loss falls."""
    points = [one for one in context.seen.evaluations if math.isfinite(one.dev)]
    if len(points) < limit("evaluations for a verdict"):
        return None
    best, last = min(points, key=lambda one: one.dev), points[-1]
    lasting = min(one.dev for one in points[-2:])  # not one bad evaluation
    train = last.train if math.isfinite(last.train) else (context.progress.late if context.progress else math.nan)
    risen = lasting > limit("held-out loss over its best") * best.dev > 0
    apart = train < limit("training loss over held-out loss") * last.dev
    if not (risen and apart) or (context.progress is not None and not context.learns):
        return []
    return [
        Finding(
            id="overfitting",
            severity="warning",
            title=f"The net overfits: the held-out loss was best at step {best.step:,} and has risen since.",
            evidence=(
                Evidence(what=f"held-out loss at step {best.step:,}", value=best.dev),
                Evidence(what=f"held-out loss at step {last.step:,}", value=last.dev),
                Evidence(what="training loss then", value=train),
            ),
            because="From there on the net learns its examples by heart: what it gains on them, it loses on others.",
            try_this=(
                f"Keep the weights of step {best.step:,}, or stop when the held-out loss has not fallen for a while"
                + context.say(torch=".", ours=" (--patience 5)."),
                "More data, or more of it by augmentation.",
                context.say(
                    torch="Dropout of 0.1 to 0.5, AdamW with weight_decay=0.1, or a smaller net.",
                    ours="--dropout 0.2, --weight-decay 0.1, or a smaller net.",
                ),
            ),
        )
    ]


def not_learning(context: Context) -> list[Finding] | None:
    """A loss that is no better than guessing after many steps, for whatever reason."""
    progress = context.progress
    if not context.trained or progress is None or progress.steps < limit("steps for a last resort"):
        return None
    if context.loss_kind == "other":
        return None  # a loss of one's own, such as a reward or an adversary's, may stay where it is
    if progress.learns:
        return []
    if context.still_falls or (context.way is not None and 0 < context.way < limit("way to go")):
        return []
    guess = () if progress.guess is None else (Evidence(what="loss of guessing", value=progress.guess),)
    return [
        Finding(
            id="not-learning",
            severity="serious",
            title="The loss is no better than guessing, and has stopped falling.",
            evidence=(
                Evidence(what="loss at first", value=progress.start),
                Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
                *guess,
            ),
            because="Something keeps the net from learning, and no measurement here says what.",
            try_this=(
                (
                    "Overfit one batch: take two examples, no dropout, no decay. A net that cannot learn them by heart "
                    "has a bug in model, loss or loop; one that can has one in the data or the settings."
                ),
                "A sweep of the learning rate over powers of ten.",
            ),
        )
    ]
