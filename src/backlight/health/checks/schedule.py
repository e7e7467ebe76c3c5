"""Whether the schedule leaves a learning rate to learn with."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Case, Evidence, Finding, FindingText
from backlight.health.groups import BROKEN_INPUTS, BROKEN_NUMBERS
from backlight.health.thresholds import limit

RATE_ENDED = FindingText(
    id="rate-ended",
    title="The schedule brought the learning rate to almost 0 by step {step}, while the loss was near its start.",
    because="From there on the weights stand still: the rest of the training changes nothing.",
    try_this=(
        (
            "Step the schedule as often as it was made for: scheduler.step() once an epoch if its step_size, "
            "milestones or T_max count epochs; with each batch only if they count batches."
        ),
        "Print optimizer.param_groups[0]['lr'] along the training: it should be of use until near the end.",
    ),
    figures=("update-to-data", "loss"),
    about="""
    The learning rate fell to a thousandth of its highest in the first half of the training and stayed there, and the
    loss is hardly below that of guessing, or was falling when the rate was lowered. A schedule that ends near 0 at the
    end of the training is no fault.
    """,
    cases={
        "falling": Case(
            title="The learning rate was lowered to almost 0 by step {step}, beginning while the loss was falling.",
            try_this=(
                (
                    "ReduceLROnPlateau waits for its measure to fall: mode='max' for an accuracy or a score. Its "
                    "patience counts calls of scheduler.step()."
                ),
            ),
        )
    },
    explained_by=BROKEN_INPUTS | BROKEN_NUMBERS | {"gradients-are-zero", "not-shuffled"},
)


@check("learning rate left by the schedule", RATE_ENDED)
def rate_ended(context: Context) -> list[Finding] | None:
    """A rate that is gone before anything was learnt."""
    rates = [(r.step, max(r.lr)) for r in context.records if r.lr]
    progress = context.progress
    if not context.trained or progress is None or len(rates) < limit("records for a verdict"):
        return None
    highest = max(rate for _, rate in rates)
    low = limit("rate that is left") * highest
    above = [at for at, (_, rate) in enumerate(rates) if not rate <= low]
    rest = rates[above[-1] + 1 :] if above else []
    if not rest or rest[0][0] > context.seen.total_steps / 2:
        return []
    was_falling = _was_falling(context, highest, rest[0][0])
    if not (progress.learns_little or was_falling):
        return []
    return [
        context.finding(
            RATE_ENDED,
            severity="serious" if progress.learns_little else "warning",
            evidence=(
                Evidence(what="learning rate, at its highest", value=highest),
                *(Evidence(what=f"learning rate at step {step}", value=rate) for step, rate in (rest[0], rest[-1])),
                Evidence(what="loss at first", value=progress.start),
                Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
            ),
            cases=("falling",) if was_falling else (),
            values={"step": rest[0][0]},
        )
    ]


def _was_falling(context: Context, highest: float, gone: int) -> bool:
    """Return whether the loss was falling when the rate was first lowered, and stood still once the rate was gone."""
    lowered = next((r.step for r in context.records if r.lr and max(r.lr) < highest and r.step > 0), gone)
    losses = [(one.step, one.loss) for one in context.seen.losses if math.isfinite(one.loss)]
    before = [loss for step, loss in losses if step < lowered]
    between = [loss for step, loss in losses if lowered <= step < gone]
    after = [loss for step, loss in losses if step >= gone]
    least = int(limit("steps of a fall"))
    if min(len(before), len(after)) < least or len(before) + len(between) < 2 * least:
        return False
    until = before + between
    early, late_, end = (np.array(part) for part in (until[: len(until) // 2], until[len(until) // 2 :], after))
    chance = limit("fall beyond chance") * math.sqrt(early.var() / len(early) + late_.var() / len(late_))
    return bool(late_.mean() < (1 - limit("fall of a network that learns")) * early.mean() - chance) and bool(
        end.mean() > (1 - limit("fall of a network that learns")) * late_[-least:].mean()
    )
