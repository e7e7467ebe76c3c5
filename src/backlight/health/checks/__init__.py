"""The judges: each looks at one thing, and says what is wrong with it, that nothing is, or that it cannot tell.

A judge is a function from a `Context` to its findings: an empty list if all is well, None if what it judges by was not
measured. None of them knows another; `health.diagnosis` puts what they say together.
"""

from collections.abc import Callable, Mapping
from typing import Final

from backlight.health.checks import (
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
from backlight.health.context import Context
from backlight.health.findings import Finding

Check = Callable[[Context], list[Finding] | None]

CHECKS: Final[Mapping[str, Check]] = {
    "NaN in the input": finite.input_not_finite,
    "NaN elsewhere": finite.not_finite,
    "sign of the loss": loss.loss_sign,
    "sum or mean in the loss": loss.loss_summed,
    "softmax taken twice": loss.softmax_twice,
    "shapes of outputs and targets": loss.loss_broadcast,
    "an output for each class": loss.single_output,
    "a look at the future": behaviour.sees_the_future,
    "examples that mix": behaviour.examples_mixed,
    "dependence on the input": behaviour.input_ignored,
    "chance in evaluation": behaviour.random_in_evaluation,
    "steps taken": loop.no_step,
    "gradients zeroed": loop.gradients_not_zeroed,
    "parameters cut off": loop.not_reached,
    "parameters not stepped": loop.not_in_optimiser,
    "training mode": loop.evaluation_mode,
    "size of the inputs": data.input_scale,
    "labels all alike": data.labels_constant,
    "size of the targets": data.target_scale,
    "first loss against ln V": start.overconfident_start,
    "signals that grow": start.exploding_signal,
    "signals that fade": start.vanishing_signal,
    "units all alike": start.identical_units,
    "saturated units": units.saturated_units,
    "dead units": units.dead_units,
    "gradients that vanish": gradients.vanishing_gradients,
    "gradients that explode": gradients.exploding_gradients,
    "weight decay": optimiser.weight_decay_dominates,
    "Adam's epsilon": optimiser.adam_epsilon,
    "learning rate too high": rate.learning_rate_too_high,
    "learning rate too low": rate.learning_rate_too_low,
    "dropout": structure.dropout_too_high,
    "non-linearities": structure.no_nonlinearity,
    "bias before batch norm": structure.bias_before_batch_norm,
    "batch of a batch norm": structure.batch_norm_small_batch,
    "labels against inputs": data.labels_unrelated,
    "duplicates across the split": data.duplicates,
    "overfitting": generalisation.overfitting,
    "a loss that falls": generalisation.not_learning,
}
"""What is looked at, in the words of a report, and who looks. Causes before what they cause."""
