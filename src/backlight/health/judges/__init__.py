"""The judges: each looks at one thing, and says what is wrong with it, that nothing is, or that it cannot tell.

A judge is a function from a `Case` to its findings: an empty list if all is well, None if what it judges by was not
measured. None of them knows another; `health.diagnosis` puts what they say together.
"""

from collections.abc import Callable, Mapping
from typing import Final

from backlight.health.case import Case
from backlight.health.findings import Finding
from backlight.health.judges import (
    behaviour,
    data,
    finite,
    generalisation,
    gradients,
    loop,
    loss,
    optimiser,
    rate,
    start,
    structure,
    units,
)

Judge = Callable[[Case], list[Finding] | None]

JUDGES: Final[Mapping[str, Judge]] = {
    "inputs are finite": finite.input_not_finite,
    "all numbers stay finite": finite.not_finite,
    "sign of the loss": loss.loss_sign,
    "mean or sum in the loss": loss.loss_summed,
    "logits, not probabilities, in the loss": loss.softmax_twice,
    "an output for each class": loss.single_output,
    "no look at the future": behaviour.sees_the_future,
    "examples kept apart": behaviour.examples_mixed,
    "output depends on the input": behaviour.input_ignored,
    "evaluation without chance": behaviour.random_in_evaluation,
    "steps are taken": loop.no_step,
    "gradients are zeroed": loop.gradients_not_zeroed,
    "gradients reach all parameters": loop.not_reached,
    "the optimiser has all parameters": loop.not_in_optimiser,
    "training mode": loop.evaluation_mode,
    "size of the inputs": data.input_scale,
    "labels differ": data.labels_constant,
    "size of the targets": data.target_scale,
    "first loss against ln V": start.overconfident_start,
    "signals keep their size": start.exploding_signal,
    "the input reaches the last layer": start.vanishing_signal,
    "units differ": start.identical_units,
    "saturated units": units.saturated_units,
    "dead units": units.dead_units,
    "gradients reach the first layers": gradients.vanishing_gradients,
    "gradients do not burst": gradients.exploding_gradients,
    "weight decay": optimiser.weight_decay_dominates,
    "Adam's epsilon": optimiser.adam_epsilon,
    "learning rate not too high": rate.learning_rate_too_high,
    "learning rate not too low": rate.learning_rate_too_low,
    "dropout": structure.dropout_too_high,
    "a non-linearity between layers": structure.no_nonlinearity,
    "no bias before batch norm": structure.bias_before_batch_norm,
    "examples under a batch norm": structure.batch_norm_small_batch,
    "labels belong to inputs": data.labels_unrelated,
    "no duplicates across the split": data.duplicates,
    "overfitting": generalisation.overfitting,
    "the loss falls": generalisation.not_learning,
}
"""What is looked at, in the words of a report, and who looks. Causes before what they cause."""
