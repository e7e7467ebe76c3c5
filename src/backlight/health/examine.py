"""The public entry to examining one batch: what is wrong with a network before it has taken a step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.findings import Finding
from backlight.health.text import trials_as_text
from backlight.health.trials import Candidate, ranked, run_trials
from backlight.watch.api import adapter_for
from backlight.watch.examine import examine_with
from backlight.watch.records import Measurements, Probe
from backlight.watch.replica import Step
from backlight.watch.trial import TrialResult


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What was found with one batch.

    Attributes:
        measurements: what was measured.
        diagnosis: what the checks found.
    """

    measurements: Measurements
    diagnosis: Diagnosis

    def __str__(self) -> str:
        text = str(self.diagnosis)
        return f"{text}\n\n{trials_as_text(self.trials)}" if self.trials else text

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, the most serious first."""
        return self.diagnosis.findings

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What experiments on the network showed."""
        return self.measurements.probes

    @property
    def trials(self) -> tuple[TrialResult, ...]:
        """What experiments on copies of the network showed; empty if none were asked for."""
        return self.measurements.trials

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Where the fault may lie by the trials, the likeliest first; empty without trials."""
        return ranked(self.trials) if self.trials else ()


def examine(
    model: Any, inputs: Any, targets: Any = None, *, loss: Any = None, causal: bool | None = None,
    trials: bool = False, optimiser: Any = None, step: Step | None = None, data: Any = None,
    make: Callable[[], Any] | None = None, minutes: float = 1.0,
) -> Examination:  # fmt: skip
    """Examine a network with one batch: forward and backward in training mode, forward in evaluation mode, experiments.

    Afterwards the network is as it was, bit for bit: weights, gradients, buffers (running statistics), modes, hooks;
    and so are the random states of Python, NumPy and PyTorch. A shallow copy of each module's attributes is set back
    too; what a forward pass changes inside of an attribute, such as a list that grows, is not.

        for finding in examine(model, x, y).findings:
            print(finding.title)

    With `trials`, short controlled experiments follow, on copies of the network, of its optimiser and of the data, each
    of which tells causes apart: can eight examples be learnt by heart, is the answer in the inputs, what does the
    output depend on, what is saved, what is stepped, what does the mean hide. `print` shows what each showed.

        print(examine(model, x, y, optimiser=optimiser, data=train_set, trials=True))

    Args:
        model: a `torch.nn.Module`, or a module of this package.
        inputs: what the model is called with: a tensor or an array; for PyTorch also a tuple of positional arguments
            or a dict of keywords. A pair of inputs and targets, if `targets` is omitted; for a module of this package
            also a `Batch`.
        targets: what the loss is computed against.
        loss: (output, targets) -> loss. By default, what the output calls its loss, else the cross-entropy of integer
            targets or the mean squared error of others. Without targets there is no backward pass.
        causal: whether an output must not depend on later inputs. By default, it must not where the targets are the
            next ids.
        trials: whether to make the trials too.
        optimiser: what steps the network, for the trials; it is copied.
        step: the training step, for the trials: (model, optimiser, inputs, targets) -> loss. It must use its arguments
            only. By default: zero the gradients, the loss of the output, its backward pass, a step of the optimiser.
        data: more examples for the trials: (inputs, targets), or for PyTorch also a dataset or a `DataLoader`.
        make: makes a new network, for the trials. By default, fresh weights are drawn by the layers' own
            `reset_parameters()`.
        minutes: how long the trials may take together.

    Raises:
        ConfigError: neither a module of this package nor of PyTorch; a batch without examples; outputs and targets
            whose shapes do not go together; a loss that is not one number; or something in the network that cannot be
            put back as it was.
    """
    adapter = adapter_for(model)
    measured = examine_with(adapter, inputs, targets, loss=loss, causal=causal)
    if trials:
        kind = None if measured.loss is None else measured.loss.kind
        made = run_trials(
            adapter, inputs, targets, loss=loss, optimiser=optimiser, step=step, data=data, make=make, causal=causal,
            kind=kind, minutes=minutes,
        )  # fmt: skip
        measured = replace(measured, trials=made)
    return Examination(measurements=measured, diagnosis=diagnose(measured))
