"""Measurements, and what several checks ask of them."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from backlight.core import IntArray
from backlight.health.findings import Finding, FindingText
from backlight.health.progress import LossTrend, label_counts, progress_of
from backlight.health.thresholds import limit
from backlight.watch.records import (
    EvaluationPoint,
    LayerFacts,
    LayerRecord,
    Measurements,
    ParameterFacts,
    ParameterRecord,
    Probe,
    StepRecord,
)
from backlight.watch.trial import TrialResult

MULTIPLIES = frozenset({"linear", "convolution"})
"""Roles of layers that are a matrix product."""


_PRODUCTS = frozenset({"mm", "bmm", "matmul", "baddbmm", "addmm", "linear", "convolution"})


class Context:
    """One network's measurements.

    Args:
        seen: what was measured.

    Attributes:
        layers: facts of each layer by its name.
        parameters: facts of each parameter by its name.
    """

    def __init__(self, seen: Measurements) -> None:
        self.seen = seen = _without_false_logits(seen)
        self.layers: dict[str, LayerFacts] = {one.name: one for one in seen.layers}
        self.parameters: dict[str, ParameterFacts] = {one.name: one for one in seen.parameters}

    # -- the run -------------------------------------------------------------------------------------------------------

    @property
    def trained(self) -> bool:
        """Whether steps of a training were seen, and not one batch only."""
        return self.seen.source != "examine"

    @property
    def records(self) -> tuple[StepRecord, ...]:
        """The recorded steps."""
        return self.seen.steps

    @cached_property
    def losses(self) -> list[tuple[StepRecord, float]]:
        """The recorded steps whose loss was reported and is finite, each with its loss."""
        return [(one, one.loss) for one in self.seen.steps if one.loss is not None and math.isfinite(one.loss)]

    @property
    def first(self) -> StepRecord | None:
        """The first recorded step."""
        return self.seen.steps[0] if self.seen.steps else None

    @cached_property
    def nonlinearity(self) -> str | None:
        """The most common non-linearity, "tanh", "sigmoid" or "relu"; None if it is none of these."""
        kinds = Counter(facts.kind.lower() for facts in self.seen.layers if facts.role == "activation")
        kind = kinds.most_common(1)[0][0] if kinds else ""
        return kind if kind in {"tanh", "sigmoid", "relu"} else None

    @cached_property
    def progress(self) -> LossTrend | None:
        """How the loss went; None if none was reported."""
        return progress_of(self.seen)

    @property
    def learns(self) -> bool:
        """Whether the loss shows that the network learns, whatever its gradients look like."""
        return self.progress is not None and self.progress.learns

    @property
    def stuck(self) -> bool:
        """Whether the loss shows, after enough steps, that nothing is learnt."""
        return self.progress is not None and self.progress.stuck

    @cached_property
    def still_falls(self) -> bool:
        """Whether the loss is falling: on held-out data if reported often enough, as that is the same each time."""
        held_out = [one.dev for one in self.seen.evaluations if math.isfinite(one.dev)]
        count = len(held_out)
        if count < limit("evaluations for a fall"):
            return self.progress is not None and self.progress.falling
        middle, end = held_out[count // 4 : count // 2], late(held_out)
        return float(np.mean(end)) < (1 - limit("fall that matters")) * float(np.mean(middle))

    @property
    def held_out(self) -> list[EvaluationPoint]:
        """The evaluations on held-out data that are finite."""
        return [one for one in self.seen.evaluations if math.isfinite(one.dev)]

    @property
    def training_loss(self) -> float:
        """The loss on training data at the end: as it was evaluated, or else the minibatches'."""
        train = self.held_out[-1].train if self.held_out else None
        late = self.progress.late if self.progress else math.nan
        return train if train is not None and math.isfinite(train) else late

    @cached_property
    def overfits(self) -> bool:
        """Whether the held-out loss rises again, for good, while the training loss falls."""
        points = self.held_out
        if len(points) < limit("evaluations for a verdict") or (self.progress is not None and not self.learns):
            return False
        best, lasting = min(one.dev for one in points), min(one.dev for one in points[-2:])  # not one bad evaluation
        risen = lasting > limit("held-out loss over its best") * best > 0
        return risen and self.training_loss < limit("training loss over held-out loss") * points[-1].dev

    @cached_property
    def labels(self) -> IntArray | None:
        """How often each class was a target; None if that is not known."""
        return label_counts(self.seen)

    @property
    def loss_kind(self) -> str | None:
        """What the loss is; "other" if it is that and more, None if its graph was not seen."""
        loss = self.seen.loss
        return None if loss is None else loss.kind if loss.pure else "other"

    @property
    def chain(self) -> tuple[str, ...]:
        """Names of the ops from the loss down to the model's output; empty if the graph was not seen."""
        return () if self.seen.loss is None else self.seen.loss.chain

    def probe(self, name: str) -> Probe | None:
        """Return an experiment on the network's first input; None if it was not made."""
        return next((one for one in self.seen.probes if one.name == name and not one.where), None)

    def trial(self, name: str) -> TrialResult | None:
        """Return an experiment on a copy of the network; None if it was not made."""
        return next((one for one in self.seen.trials if one.name == name and not one.not_run), None)

    def finding(self, text: FindingText, **found: Any) -> Finding:
        """Return a finding in the words of the network's framework; for the arguments see `FindingText.found`."""
        return text.found(framework=self.seen.framework, **found)

    # -- layers --------------------------------------------------------------------------------------------------------

    def layers_of(self, record: StepRecord | None) -> Iterator[tuple[LayerFacts, LayerRecord]]:
        """Yield each layer of a record with its facts."""
        for one in () if record is None else record.layers:
            if one.name in self.layers:
                yield self.layers[one.name], one

    def over_time(self, name: str, number: Callable[[LayerRecord], float | None]) -> list[float]:
        """Return one number of one layer, from all records that have it."""
        found = (number(one) for record in self.records for one in record.layers if one.name == name)
        return [value for value in found if value is not None]

    def called(self, *roles: str) -> list[LayerFacts]:
        """Return the layers of these roles that were executed, in their order."""
        found = [one for one in self.seen.layers if one.role in roles and one.depth is not None]
        return sorted(found, key=lambda one: one.depth or 0)

    @cached_property
    def output_layer(self) -> str | None:
        """The last matrix product: what the logits or predictions come out of."""
        products = self.called(*MULTIPLIES)
        return products[-1].name if products else None

    @property
    def layers_excused(self) -> bool:
        """Whether it is known why layers were not seen to run."""
        return any(one.what == "the layers" for one in self.seen.not_measured)

    # -- parameters ----------------------------------------------------------------------------------------------------

    @cached_property
    def histories(self) -> dict[str, list[ParameterRecord]]:
        """The records of each parameter, by its name."""
        found: dict[str, list[ParameterRecord]] = {name: [] for name in self.parameters}
        for record in self.records:
            for one in record.parameters:
                found.setdefault(one.name, []).append(one)
        return found

    def matrices(self, record: StepRecord) -> list[ParameterRecord]:
        """Return the weight matrices of a record that are meant to learn."""
        facts = self.parameters
        return [
            one
            for one in record.parameters
            if one.name in facts and facts[one.name].weight_matrix and facts[one.name].requires_grad
        ]

    def size_read(self, facts: LayerFacts, given: float | None) -> float | None:
        """Return the size of what a layer reads at first, by that of what it gives; None if its matrix is not known.

        A sum of n products with independent weights of mean 0 has n times the variance of the weights, times the mean
        square of what is read.

        Args:
            facts: of the layer.
            given: the size of its output, as a root mean square or a standard deviation.
        """
        matrices = () if self.first is None else self.matrices(self.first)
        size = next((one.data.rms for one in matrices if one.name in facts.parameters), 0.0)
        if given is None or not math.isfinite(given) or not size or not facts.fan_in:
            return None
        return given / (size * math.sqrt(facts.fan_in))

    @cached_property
    def _changes(self) -> list[tuple[StepRecord, float]]:
        found = [(record, finite(one.update_to_data for one in self.matrices(record))) for record in self.records]
        return [(record, float(np.median(ratios))) for record, ratios in found if ratios]

    @property
    def update_ratios(self) -> list[float]:
        """For each record, the median over weight matrices of std(change) / std(weights)."""
        return [ratio for _, ratio in self._changes]

    @property
    def rates_that_fit(self) -> list[float]:
        """For each record with a learning rate, the one that would have made the change of the usual size."""
        right = limit("update as it should be")
        return [r.lr[0] * right / ratio for r, ratio in self._changes if r.lr and r.lr[0] > 0 and ratio > 0]

    @cached_property
    def way(self) -> float | None:
        """Total distance moved by the weights, relative to their size; None if their changes were not seen."""
        if not self.update_ratios:
            return None
        return self.seen.total_steps * float(np.median(self.update_ratios))


def _without_false_logits(seen: Measurements) -> Measurements:
    """Take away logits that are none: outputs that go through a matrix product before the loss's softmax."""
    chain = () if seen.loss is None else seen.loss.chain
    takes = [place for place, op in enumerate(chain) if op in {"log_softmax", "cross_entropy"}]
    between = chain[takes[-1] + 1 : -1] if takes else ()
    if not _PRODUCTS & set(between):
        return seen
    return replace(seen, steps=tuple(replace(record, logits=None) for record in seen.steps))


def is_changed(probe: Probe) -> bool:
    """Return whether an output changed by more than rounding."""
    return probe.changed > limit("same output") * max(probe.scale, 1e-12)


def finite(values: Iterable[float | None]) -> list[float]:
    """Return the numbers that are known and finite."""
    return [value for value in values if value is not None and math.isfinite(value)]


def late(values: list[float]) -> list[float]:
    """Return the last quarter of a list of numbers, at least one."""
    return values[-max(1, len(values) // 4) :]
