"""Whether frozen layers hold anything worth keeping."""

import math

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding, FindingText
from backlight.health.thresholds import limit
from backlight.watch.records import Spread

FROZEN_UNTRAINED = FindingText(
    id="frozen-untrained",
    title="Frozen layers have fresh random weights: nothing was loaded into them.",
    because="Layers are frozen to keep what they have learnt. These weights are spread as PyTorch's initial ones are, "
    "evenly over ±1/sqrt(fan_in), and no training leaves them so.",
    try_this=(
        (
            "print(model.load_state_dict(weights, strict=False)): it loads what fits by name, and returns what does "
            "not. A prefix such as module. or model. in all names is the usual cause."
        ),
        "Load the weights before the layers are wrapped, renamed or replaced.",
    ),
    figures=("loss",),
    about="""
    Matrices without requires_grad whose numbers are spread as `nn.Linear` and `nn.Conv2d` spread theirs: evenly between
    ±1/sqrt(fan_in). Random features that are frozen on purpose look the same.
    """,
)


@check("frozen weights", FROZEN_UNTRAINED)
def frozen_untrained(context: Context) -> list[Finding] | None:
    """Frozen matrices that are as PyTorch makes them."""
    first = context.first
    frozen = {one.name: one for one in context.seen.parameters if not one.requires_grad and one.weight_matrix}
    known = [] if first is None else [one for one in first.parameters if one.name in frozen]
    if not known or len(frozen) == sum(one.weight_matrix for one in context.seen.parameters):
        return None  # where nothing learns, `all_frozen` says so
    fresh = [one for one in known if _is_fresh(one.data, frozen[one.name].fan_in)]
    if not fresh:
        return []
    bound = 1 / math.sqrt(frozen[fresh[0].name].fan_in or 1)
    return [
        context.finding(
            FROZEN_UNTRAINED,
            severity="warning"
            if context.trained and not context.learns
            else "note",  # features may be random on purpose
            where=[one.name for one in fresh[:6]],
            evidence=(
                Evidence(what=f"least number of {fresh[0].name}", value=fresh[0].data.low, expected=f"{-bound:.3g}"),
                Evidence(what="largest", value=fresh[0].data.high, expected=f"{bound:.3g}, if it is fresh"),
                Evidence(what="frozen matrices that are fresh", value=len(fresh)),
                Evidence(what="frozen matrices", value=len(known)),
            ),
        )
    ]


def _is_fresh(data: Spread, fan_in: int | None) -> bool:
    """Return whether numbers are spread evenly over ±1/sqrt(fan_in).

    Of n such numbers the largest is 2/n of the bound below it on average, and ten times as far once in exp(10) times.
    Their standard deviation is 1/sqrt(3) of the bound, and its own is 0.45/sqrt(n) of that.
    """
    n = data.count
    if not fan_in or n < limit("numbers of a fresh matrix"):
        return False
    low, high, std = (one * math.sqrt(fan_in) for one in (data.low, data.high, data.std))
    ends = max(abs(low + 1), abs(high - 1))
    return ends < 20 / n and max(-low, high) < 1 + 1e-5 and abs(std * math.sqrt(3) - 1) < 4 * 0.45 / math.sqrt(n)
