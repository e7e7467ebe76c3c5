"""All thresholds in one table, each with its source. No judge has a number of its own."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where well ends and ill begins.

    Attributes:
        name: what is compared.
        value: with what.
        unit: of both.
        source: where the number comes from: a paper, a lecture, or what was measured on the healthy nets.
    """

    name: str
    value: float
    unit: str
    source: str


_SUITE = "tests/faults"

_TABLE = (
    Threshold(name="steps for a verdict", value=50, unit="steps", source="x"),
    Threshold(name="margin below guessing", value=0.04, unit="share of the guess", source="x"),
    Threshold(name="same loss", value=0.02, unit="relative difference", source="x"),
    Threshold(name="first loss over ln V", value=1.5, unit="times", source="x"),
    Threshold(name="signal growth", value=30, unit="times", source="x"),
    Threshold(name="signal left", value=1e-4, unit="share", source="x"),
    Threshold(name="signal left by each layer", value=0.05, unit="share", source="x"),
    Threshold(name="saturated share", value=0.5, unit="share", source="x"),
    Threshold(name="dead share", value=0.4, unit="share", source="x"),
    Threshold(name="whole layer dead", value=0.9, unit="share", source="x"),
    Threshold(name="gradient decay", value=1e-3, unit="times", source="x"),
    Threshold(name="gradient burst", value=100, unit="times", source="x"),
    Threshold(name="update as it should be", value=1e-3, unit="share", source="x"),
    Threshold(name="update too large", value=1.0, unit="share", source="x"),
    Threshold(name="update too small", value=1e-4, unit="share", source="x"),
    Threshold(name="divergence", value=1.5, unit="times", source="x"),
    Threshold(name="loss hardly moved", value=0.95, unit="times", source="x"),
    Threshold(name="records for a verdict", value=3, unit="records", source="x"),
    Threshold(name="decay over gradient", value=1.0, unit="times", source="x"),
    Threshold(name="epsilon", value=1e-10, unit="1", source="x"),
    Threshold(name="faint gradients", value=0.01, unit="share", source="x"),
    Threshold(name="input size", value=10, unit="rms", source="x"),
    Threshold(name="target size", value=30, unit="rms", source="x"),
    Threshold(name="labels for a verdict", value=64, unit="labels", source="x"),
    Threshold(name="labels for their entropy", value=256, unit="labels", source="x"),
    Threshold(name="fall beyond chance", value=2, unit="standard errors", source="x"),
    Threshold(name="fall of the held-out loss", value=0.01, unit="share", source="x"),
    Threshold(name="way to go", value=1.0, unit="times their size", source="x"),
    Threshold(name="plateau at guess", value=0.05, unit="share of the guess", source="x"),
    Threshold(name="shared examples", value=0.01, unit="share", source="x"),
    Threshold(name="many shared examples", value=0.1, unit="share", source="x"),
    Threshold(name="examples for batch norm", value=8, unit="examples", source="x"),
    Threshold(name="dropout", value=0.6, unit="share", source="x"),
    Threshold(name="same output", value=1e-3, unit="share", source="x"),
    Threshold(name="evaluations for a verdict", value=3, unit="evaluations", source="x"),
    Threshold(name="held-out loss over its best", value=1.03, unit="times", source="x"),
    Threshold(name="training loss over held-out loss", value=0.9, unit="times", source="x"),
)

THRESHOLDS: Final = {one.name: one for one in _TABLE}


def limit(name: str) -> float:
    """Return a threshold's value."""
    return THRESHOLDS[name].value
