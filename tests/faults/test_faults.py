"""One seed of the fault suite: no finding on a net that is well, and each fault found, by its name.

All five seeds: `python -m tests.faults --seeds 5`; the score is in docs/faults.md.
"""

import pytest
from tests.faults.catalogue import FAULTS
from tests.faults.experiment import Experiment, Fault
from tests.faults.healthy import HEALTHY
from tests.faults.running import measured

from backlight.health import diagnose

SEED = 0

EARLY = (
    "overconfident", "saturated", "tiny", "constant first", "all weights 0", "exploding", "dead by bias", "not zeroed",
    "step not taken", "missing from the optimiser", "detached", "epsilon", "input times 100", "duplicates",
    "softmax twice", "wrong sign", "sum in place", "no non-linearity", "evaluation mode", "bias before", "few examples",
    "sees the future", "one output", "outputs (N", "ignores eval", "transpose",
)  # fmt: skip
"""What can be known after five steps: all but what only the loss tells in time."""


def found_on(experiment: Experiment, seed: int = SEED) -> set[str]:
    return {finding.id for finding in diagnose(measured(experiment, seed)).findings}


def test_the_suite_is_as_large_as_it_says():
    assert len(HEALTHY) >= 6
    assert len({fault.name.rsplit(" (", 1)[0] for fault in FAULTS}) >= 30
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("net", HEALTHY, ids=lambda net: net.name)
def test_a_net_that_is_well_has_no_finding(net: Experiment):
    assert found_on(net) == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_by_its_name(fault: Fault):
    assert found_on(fault.experiment) & fault.accepted


@pytest.mark.parametrize(
    "fault", [one for one in FAULTS if any(word in one.name for word in EARLY)], ids=lambda fault: fault.name
)
def test_it_is_found_within_five_steps_where_that_can_be(fault: Fault):
    assert found_on(fault.experiment.but(steps=5, evaluate_every=5)) & fault.accepted


@pytest.mark.parametrize("net", HEALTHY, ids=lambda net: net.name)
def test_five_steps_are_no_reason_for_an_alarm(net: Experiment):
    assert found_on(net.but(steps=5, evaluate_every=5)) == set()
