"""The public entry to examining one batch: what is wrong with a network before it has taken a step."""

from dataclasses import dataclass
from typing import Any

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.findings import Finding
from backlight.watch.api import adapter_for
from backlight.watch.examine import examine_with
from backlight.watch.records import Measurements, Probe


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
        return str(self.diagnosis)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, the most serious first."""
        return self.diagnosis.findings

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What experiments on the network showed."""
        return self.measurements.probes


def examine(
    model: Any, inputs: Any, targets: Any = None, *, loss: Any = None, causal: bool | None = None
) -> Examination:
    """Examine a network with one batch: forward and backward in training mode, forward in evaluation mode, experiments.

    Afterwards the network is as it was, bit for bit: weights, gradients, buffers (running statistics), modes, hooks;
    and so are the random states of Python, NumPy and PyTorch. A shallow copy of each module's attributes is set back
    too; what a forward pass changes inside of an attribute, such as a list that grows, is not.

        for finding in examine(model, x, y).findings:
            print(finding.title)

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

    Raises:
        ConfigError: neither a module of this package nor of PyTorch; a batch without examples; outputs and targets
            whose shapes do not go together; a loss that is not one number; or something in the network that cannot be
            put back as it was.
    """
    measured = examine_with(adapter_for(model), inputs, targets, loss=loss, causal=causal)
    return Examination(measurements=measured, diagnosis=diagnose(measured))
