"""What a trial showed: a short controlled experiment on a copy of a network, as plain numbers and sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Part = Literal["inputs", "labels", "network", "loss", "loop", "evaluation"]
"""Where a fault can lie. "loop" is the optimiser, its settings and the step; "evaluation", modes and saved weights."""

PARTS: Final[tuple[Part, ...]] = get_args(Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One number that a trial measured.

    Attributes:
        what: what it is.
        value: how much; nan for what is not a number.
        unit: "nats", "%", "steps"; a share is given in percent.
    """

    what: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """One trial.

    Attributes:
        name: "by heart", "answer in the inputs", "dependence", "modes and saved weights", "weights", "gradient",
            "loss", "outcome".
        question: what the trial is to answer.
        done: what was done, in a sentence.
        seen: the numbers.
        showed: what they show, in sentences, whether or not there is a name for it.
        points_to: parts where the fault may lie by this trial, each with the reason.
        excludes: parts where the fault does not lie by this trial, each with the reason.
        likelier: ids of findings that this makes likelier.
        less_likely: ids of findings that this makes less likely.
        where: names of weights or classes that the numbers are about, the worst first.
        not_run: why the trial was not made, or not to its end, and what it needs; empty if it was.
    """

    name: str
    question: str
    done: str = ""
    seen: tuple[Observation, ...] = ()
    showed: tuple[str, ...] = ()
    points_to: Mapping[Part, str] = field(default_factory=dict)
    excludes: Mapping[Part, str] = field(default_factory=dict)
    likelier: tuple[str, ...] = ()
    less_likely: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    not_run: str = ""

    def number(self, what: str) -> float | None:
        """Return one of the numbers; None if it was not measured."""
        return next((one.value for one in self.seen if one.what == what), None)
