"""One batch through a PyTorch network, forward and backward and in both modes, and everything as it was afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from backlight.core import Array, ConfigError, FloatArray
from backlight.watch import Block
from backlight.watch.parameters import ParameterNumbers
from backlight.watch.probes import modes_probe, probes_of
from backlight.watch.records import Measurements, Probe, StepRecord
from backlight.watch.step import Step, StepNumbers
from backlight.watch.torch.capture import Capture
from backlight.watch.torch.guard import Guard
from backlight.watch.torch.layers import Layers
from backlight.watch.torch.outputs import inputs_of, measurable, principal
from backlight.watch.torch.sealing import Sealing, input_numbers
from backlight.watch.torch.watcher import TorchWatcher

Loss = Callable[[Any, Any], torch.Tensor]


class _Batch:
    """What a model is given, and how its output becomes a loss."""

    def __init__(self, inputs: Any, targets: Any, loss: Loss | None) -> None:
        if targets is None and isinstance(inputs, (tuple, list)) and len(inputs) == 2:
            inputs, targets = inputs
        self.kwargs: dict[str, Any] = dict(inputs) if isinstance(inputs, Mapping) else {}
        self.args: tuple[Any, ...] = () if self.kwargs else inputs if isinstance(inputs, tuple) else (inputs,)
        self.targets = targets
        self._loss = loss
        named: list[tuple[int | str, Any]] = [*enumerate(self.args), *self.kwargs.items()]
        self._probed = next((name for name, one in named if isinstance(one, torch.Tensor) and one.ndim), None)

    @property
    def x(self) -> torch.Tensor | None:
        """The first tensor, on which experiments are made."""
        if self._probed is None:
            return None
        found: torch.Tensor = self.args[self._probed] if isinstance(self._probed, int) else self.kwargs[self._probed]
        return found

    def run(self, model: torch.nn.Module, x: torch.Tensor | None = None) -> Any:
        """Return the model's output, with another first tensor if one is given."""
        args, kwargs = list(self.args), dict(self.kwargs)
        if x is not None and isinstance(self._probed, int):
            args[self._probed] = x
        elif x is not None and isinstance(self._probed, str):
            kwargs[self._probed] = x
        return model(*args, **kwargs)

    def loss(self, output: Any) -> torch.Tensor | None:
        """Return the loss of an output: by the function that was given, or by what output and targets look like."""
        if self._loss is not None:
            return self._loss(output, self.targets) if self.targets is not None else self._loss(output, None)
        own = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if isinstance(own, torch.Tensor) and own.numel() == 1:
            return own
        logits, y = principal(output), self.targets
        if logits is None or not isinstance(y, torch.Tensor):
            return None
        if y.is_floating_point():
            return torch.nn.functional.mse_loss(logits, y) if y.shape == logits.shape else None
        if y.shape == logits.shape[:-1]:
            flat = logits.reshape(-1, logits.shape[-1])
            ignored = min(-1, int(y.min()))  # -1 or -100, if some targets are not to count
            return torch.nn.functional.cross_entropy(flat, y.reshape(-1).long(), ignore_index=ignored)
        if y.shape == logits.shape[:1] + logits.shape[2:]:
            return torch.nn.functional.cross_entropy(logits, y.long())
        return None


def examine(
    model: torch.nn.Module, inputs: Any, targets: Any, *, loss: Loss | None, causal: bool | None
) -> Measurements:
    """Measure one batch; see `backlight.health.examine`."""
    batch = _Batch(inputs, targets, loss)
    with Guard(model):
        for parameter in model.parameters():
            parameter.grad = None
        model.train()
        seen, trained = _trained(model, batch)
        model.eval()
        with torch.no_grad():
            evaluation, evaluated = _evaluated(model, batch)
            probes = _probes(model, batch, trained, evaluated, causal=causal)
    return replace(
        seen, source="examine", interval=1, total_steps=0, steps=(_without_update(seen.steps[0]),),
        evaluation=evaluation, losses=(), probes=tuple(probes),
    )  # fmt: skip


def _trained(model: torch.nn.Module, batch: _Batch) -> tuple[Measurements, tuple[Any, float]]:
    """Go forward and backward in training mode; no gradient is left in a parameter, and no hook of theirs is called."""
    with TorchWatcher(model, every=1) as watcher, torch.enable_grad():
        output = batch.run(model)
        loss = batch.loss(output)
        if loss is not None and loss.numel() != 1:
            raise ConfigError(f"a loss is one number; got a tensor of shape {tuple(loss.shape)}. Take its mean.")
        if loss is not None and loss.requires_grad:
            wanted = [one for one in model.parameters() if one.requires_grad]
            for parameter, gradient in zip(wanted, _gradients(loss, wanted), strict=True):
                parameter.grad = gradient
        watcher.step(loss)
        seen = watcher.measurements()
    first = principal(output)
    value = float("nan") if loss is None else float(loss.detach())
    return seen, (None if first is None else _array(first), value)


def _gradients(loss: torch.Tensor, wanted: list[torch.nn.Parameter]) -> tuple[torch.Tensor | None, ...]:
    return torch.autograd.grad(loss, wanted, allow_unused=True) if wanted else ()


def _evaluated(model: torch.nn.Module, batch: _Batch) -> tuple[StepRecord, tuple[Any, float]]:
    capture = Capture(Layers(model))
    capture.structure_known = capture.without_gradients = True
    capture.attach()
    try:
        capture.begin_pass()
        output = batch.run(model)
    finally:
        capture.detach()
    calls = capture.finish()
    inputs = inputs_of(batch.args, batch.kwargs)
    floats = {name: one for name, one in inputs if measurable(one)}
    first = principal(output)
    layers = Sealing().measure(calls, list(floats.values()), first, thorough=False, maps=False)
    places = dict(zip(floats, layers.inputs, strict=True))
    loss = batch.loss(output)
    value = float("nan") if loss is None else float(loss)
    numbers = StepNumbers(
        loss=value,
        layers=layers,
        parameters=ParameterNumbers([], Block(0), set(), {}, remembered=False, updated=False),
        inputs=[input_numbers(name, one, places.get(name)) for name, one in inputs],
        output=None,
        batch_size=next((one.shape[0] for _, one in inputs if one.ndim), None),
    )
    record = Step(0, numbers).record()
    capture.clear()
    return record, (None if first is None else _array(first), value)


def _probes(
    model: torch.nn.Module, batch: _Batch, trained: tuple[Any, float], evaluated: tuple[Any, float], *,
    causal: bool | None,
) -> list[Probe]:  # fmt: skip
    (trained_out, train_loss), (out, eval_loss) = trained, evaluated
    x = batch.x
    if out is None or trained_out is None:
        return []
    losses = {"train_loss": train_loss, "eval_loss": eval_loss} if train_loss == train_loss else {}  # noqa: PLR0124
    found = [modes_probe(trained_out, out, losses)]
    if x is None or x.is_complex() or x.layout is not torch.strided:
        return found

    def run(array: Array) -> FloatArray:
        given = torch.from_numpy(np.ascontiguousarray(array)).to(device=x.device, dtype=x.dtype)
        first = principal(batch.run(model, given))
        assert first is not None  # noqa: S101  (the same model had an output just now)
        return _array(first)

    y = batch.targets if isinstance(batch.targets, torch.Tensor) else None
    return found + probes_of(run, _array(x), None if y is None else _array(y), causal=causal)


def _array(tensor: torch.Tensor) -> Array:
    plain = tensor.detach()
    array: Array = (plain.float() if plain.dtype in {torch.bfloat16, torch.float16} else plain).cpu().numpy()
    return array.copy()


def _without_update(record: StepRecord) -> StepRecord:
    """Leave out what only a step can tell."""
    parameters = tuple(replace(one, update_to_data=None, moved=None) for one in record.parameters)
    return replace(record, parameters=parameters, lr=(), left_over_norm=None, optimiser_steps=None)
