"""Findings that cause many others, in groups: see `FindingText.explained_by`."""

from typing import Final

BROKEN_NUMBERS: Final = frozenset({"input-not-finite", "adam-epsilon", "loss-sign"})
BAD_BATCHES: Final = frozenset({"not-shuffled", "few-examples", "one-id"})
BROKEN_INPUTS: Final = BAD_BATCHES | {"exploding-signal", "input-scale", "target-scale", "loss-summed", "loss-sign"}
NO_STEPS: Final = frozenset({"no-step", "single-output", "labels-constant", "loss-broadcast"})
LOST_SIGNAL: Final = frozenset({"vanishing-signal", "dead-units", "saturated-units", "identical-units"})
