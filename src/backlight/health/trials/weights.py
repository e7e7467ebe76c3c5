"""Is everything that the loss depends on stepped, and does a step change it, or does rounding throw it away?"""

from typing import Final

from backlight.health.trials.subject import Subject
from backlight.watch.replica import Leaf, Rounding
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Does a step move every weight that the loss depends on?"
_NAME: Final = "weights"
STEPS: Final = 10
LOST: Final = 0.25
"""Share of the numbers that the steps left as they were from which on much is lost: with AdamW in bfloat16 it is 0 at a
rate of 3e-3, and 0.45 at 1.5e-4, where far less is learnt than in float32."""


def weights(subject: Subject) -> TrialResult:
    """Follow the loss's graph to every tensor that learns, and see what ten steps do to it."""
    if not subject.has_loss:
        return TrialResult(name=_NAME, question=QUESTION, not_run="it needs targets, or an output with a loss")
    if subject.optimiser is None:
        return TrialResult(name=_NAME, question=QUESTION, not_run="it needs the optimiser: pass optimiser=")
    one = subject.copy()
    found = one.leaves(subject.inputs, subject.targets)
    if found is None:
        return TrialResult(
            name=_NAME, question=QUESTION, done="The loss's graph was followed.",
            showed=("the loss has no graph: it depends on nothing that learns",), likelier=("no-graph",),
            points_to={"network": "the loss depends on nothing that learns: the graph is cut"},
        )  # fmt: skip
    rounded = subject.copy().rounding(subject.inputs, subject.targets, STEPS)
    subject.budget.steps -= STEPS
    return _told(found, rounded)


def _told(found: list[Leaf], rounded: list[Rounding]) -> TrialResult:
    outside = [one.name for one in found if not one.registered and one.stepped is False]
    unstepped = [one.name for one in found if one.registered and one.stepped is False]
    still = sorted(rounded, key=lambda one: -one.still)
    mean = sum(one.still for one in still) / len(still) if still else None
    seen = [
        Observation(what="weights that the loss depends on", value=len(found)),
        Observation(what="of these, not the optimiser's and no parameters of the network", value=len(outside)),
        Observation(what="of these, not the optimiser's", value=len(unstepped)),
    ]
    showed = []
    points: dict[Part, str] = {}
    likelier: list[str] = []
    if outside:
        showed.append(f"{', '.join(outside[:4])}: used by the network, no parameter of it, and never stepped")
        points["network"] = "weights that it uses are kept where parameters() does not find them, and are never stepped"
    if unstepped:
        showed.append(f"{', '.join(unstepped[:4])}: learns by its flag, and is not the optimiser's")
        points["loop"] = "the optimiser does not step all weights that the loss depends on"
        likelier.append("not-in-optimiser")
    if not outside and not unstepped:
        showed.append("the optimiser has every weight that the loss depends on")
    if mean is not None:
        seen.append(
            Observation(what=f"{still[0].dtype} numbers with a gradient that {STEPS} steps left as they were",
                        value=100 * mean, unit="%")
        )  # fmt: skip
        seen.append(Observation(what="half-precision numbers left as they were", value=100 * mean, unit="%"))
        showed.append(
            f"{100 * mean:.0f}% of the {still[0].dtype} numbers with a gradient did not move in {STEPS} steps"
        )
        if mean > LOST:
            points["loop"] = "rounding throws away much of what the steps add to the weights"
    return TrialResult(
        name=_NAME, question=QUESTION,
        done=f"The loss's graph was followed to its leaves; weights of half precision were followed through {STEPS} "
        "steps.",
        seen=tuple(seen), showed=tuple(showed), points_to=points, likelier=tuple(likelier),
        less_likely=() if outside or unstepped else ("not-in-optimiser", "not-reached-by-gradient"),
        where=tuple(outside) or tuple(one.name for one in still if one.still > LOST),
    )  # fmt: skip
