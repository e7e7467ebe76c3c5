"""The checks: each looks for one fault, and says what it found, that it found nothing, or that it cannot tell.

A check is a function from a `Context` to its findings: an empty list if there is nothing wrong, None if what it needs
was not measured. It stands below the words of its findings, and is made one by `@check`. None of them knows another;
`health.diagnosis` puts together what they find. Modules and their checks stand in order: causes before what they cause.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from backlight.health.check import Check, checks_in
from backlight.health.checks import (
    attention,
    axes,
    behaviour,
    clipping,
    data,
    evaluation,
    finite,
    frozen,
    generalisation,
    gradients,
    labels,
    log,
    loop,
    loss,
    minibatches,
    modes,
    optimiser,
    output,
    parameters,
    places,
    precision,
    rate,
    schedule,
    start,
    structure,
    trials,
    unbounded,
    units,
)
from backlight.health.findings import FindingText

_MODULES: Final = (
    finite, loss, unbounded, output, axes, labels, minibatches, places, behaviour, loop, modes, parameters, frozen,
    clipping, schedule, data,
    start, attention, units, gradients, optimiser, precision, rate, structure, trials, log, evaluation, generalisation,
)  # fmt: skip

CHECKS: Final[tuple[Check, ...]] = tuple(one for module in _MODULES for one in checks_in(module))

TEXTS: Final[Mapping[str, FindingText]] = MappingProxyType({text.id: text for one in CHECKS for text in one.texts})
"""The words of every finding, by its id."""
