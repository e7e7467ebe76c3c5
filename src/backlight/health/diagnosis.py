"""All judges heard, and what they say put together: causes first, what follows from them left out."""

from dataclasses import dataclass
from typing import Any, Final

from backlight.health.checks import CHECKS
from backlight.health.context import Context
from backlight.health.findings import Finding, most_serious_first
from backlight.health.text import as_text
from backlight.watch.records import Measurements

_BROKEN_NUMBERS: Final = frozenset({"input-not-finite", "adam-epsilon", "loss-sign"})
_BROKEN_START: Final = frozenset({"exploding-signal", "input-scale", "target-scale", "loss-summed", "loss-sign"})
_NOT_STEPPED: Final = frozenset({"no-step", "single-output", "labels-constant", "loss-broadcast"})
_LOST_SIGNAL: Final = frozenset({"vanishing-signal", "dead-units", "saturated-units", "identical-units"})

FOLLOWS_FROM: Final[dict[str, frozenset[str]]] = {
    "not-finite": _BROKEN_NUMBERS | _BROKEN_START | {"learning-rate-too-high", "gradients-not-zeroed"},
    "overconfident-start": frozenset({"input-scale", "exploding-signal"}),
    "exploding-signal": frozenset({"input-scale"}),
    "dead-units": _BROKEN_START | _BROKEN_NUMBERS
    | {"learning-rate-too-high", "gradients-not-zeroed", "vanishing-signal"},
    "gradients-not-zeroed": frozenset({"not-in-optimiser"}),  # zero_grad() is of the optimiser, and only of its own
    "no-step": frozenset({"single-output"}),
    # a net that draws by chance gives other outputs whatever is changed
    "sees-the-future": frozenset({"random-in-evaluation", "examples-mixed"}),
    "examples-mixed": frozenset({"random-in-evaluation"}),
    "saturated-units": _BROKEN_START | _BROKEN_NUMBERS | {"learning-rate-too-high", "gradients-not-zeroed"},
    "exploding-gradients": _BROKEN_START | _BROKEN_NUMBERS
    | {"learning-rate-too-high", "gradients-not-zeroed", "overconfident-start", "no-step"},
    "vanishing-gradients": _BROKEN_START | _NOT_STEPPED
    | {"dead-units", "saturated-units", "identical-units", "learning-rate-too-high", "weight-decay-dominates"},
    "learning-rate-too-high": _BROKEN_START | _BROKEN_NUMBERS | _NOT_STEPPED
    | {"gradients-not-zeroed", "identical-units", "vanishing-signal"},
    "learning-rate-too-low": _BROKEN_START | _NOT_STEPPED | _LOST_SIGNAL
    | {"vanishing-gradients", "weight-decay-dominates", "softmax-twice"},
    "weight-decay-dominates": _BROKEN_NUMBERS | _NOT_STEPPED | {"vanishing-signal", "dead-units"},
    "input-ignored": _LOST_SIGNAL | _NOT_STEPPED
    | {"vanishing-gradients", "weight-decay-dominates", "input-scale"},
    "overfitting": frozenset({"labels-constant", "loss-sign", "learning-rate-too-high"}),
}  # fmt: skip
"""Which findings are left out where one of these others was found, because it explains them."""

LAST_RESORTS: Final = ("labels-unrelated", "not-learning")
"""Said only if nothing serious was found that explains why nothing is learnt, and of these only the first."""


EXPLAINS_NOTHING: Final = frozenset({*LAST_RESORTS, "overconfident-start"})
"""What does not silence a last resort: a bad start delays, and does not keep from learning."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What all judges said of one net.

    Attributes:
        findings: the most serious first.
        checked: what was looked at.
        unknown: what could not be looked at, since it was not measured.
        steps: how many were watched; 0 for an examination.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    unknown: tuple[str, ...]
    steps: int

    def __str__(self) -> str:
        return as_text(self)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "findings": [one.to_json() for one in self.findings],
            "checked": list(self.checked),
            "unknown": list(self.unknown),
            "steps": self.steps,
        }


def diagnose(seen: Measurements) -> Diagnosis:
    """Return what is wrong with a net, by what was measured on it."""
    context = Context(seen)
    said = {what: judge(context) for what, judge in CHECKS.items()}
    return Diagnosis(
        findings=most_serious_first(_causes([one for found in said.values() for one in found or ()])),
        checked=tuple(what for what, found in said.items() if found is not None),
        unknown=tuple(what for what, found in said.items() if found is None),
        steps=seen.total_steps if context.trained else 0,
    )


def _causes(findings: list[Finding]) -> list[Finding]:
    found = {one.id for one in findings}
    kept = [one for one in findings if not FOLLOWS_FROM.get(one.id, frozenset()) & found]
    explained = any(one.severity in {"fatal", "serious"} for one in kept if one.id not in EXPLAINS_NOTHING)
    spoken = [] if explained else [one.id for one in kept if one.id in LAST_RESORTS]
    silent = set(LAST_RESORTS) - set(spoken[:1])
    return [one for one in kept if one.id not in silent]
