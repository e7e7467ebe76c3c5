"""The public entry to a look at one batch: what is wrong with a network before it has taken a step."""

from dataclasses import dataclass
from typing import Any

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.findings import Finding
from backlight.nn import Module
from backlight.watch.api import torch_side
from backlight.watch.ours import examine_module
from backlight.watch.records import Measurements, Probe


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What was found by one batch.

    Attributes:
        measurements: what was measured.
        diagnosis: what the judges say of it.
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
    """Look at a network by one batch: forward and backward in training mode, forward in evaluation mode, experiments.

    Afterwards the network is as it was, bit for bit: weights, gradients, buffers (running statistics), modes, hooks;
    and so are the random states of Python, NumPy and PyTorch. A shallow copy of each module's attributes is set back
    too; what a forward pass changes inside of an attribute, such as a list that grows, is not.

        for finding in examine(model, x, y).findings:
            print(finding.title)

    Args:
        model: a `torch.nn.Module`, or a module of ours.
        inputs: what the model is called with: a tensor or an array; for PyTorch also a tuple of positional arguments
            or a dict of keywords. A pair of both, inputs and targets, if `targets` is left out; of ours also a `Batch`.
        targets: what the loss is computed against.
        loss: (output, targets) -> loss. Left out, it is the cross-entropy of whole-numbered targets, the mean squared
            error of others, or what the output calls its loss; if there is none of these, nothing goes backward.
        causal: whether an output must not depend on later inputs. Left out, it must not where the targets are the next
            ids.

    Raises:
        ConfigError: neither a module of ours nor of PyTorch, or a loss that is not one number.
        TorchMissingError: PyTorch is not installed.
    """
    if isinstance(model, Module):
        measured = examine_module(model, inputs, targets, loss=loss, causal=causal)
    else:
        measured = torch_side(model).examine(model, inputs, targets, loss=loss, causal=causal)
    return Examination(measurements=measured, diagnosis=diagnose(measured))
