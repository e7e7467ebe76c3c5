"""What the tests of the watcher share: the same network in both frameworks, and what a record must say of arrays."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional as F  # noqa: N812

from backlight import autograd, nn, optim
from backlight.watch.records import LayerRecord, Spread, StepRecord

CLASSES, FEATURES = 5, 4


@dataclass(frozen=True)
class Framework:
    """A framework, as the tests use it.

    Attributes:
        name: what it is called.
        linear, batch_norm, tanh, relu, sequential, module: classes of modules, or what makes one.
        tensor: makes a tensor of an array; of ids too.
        array: returns a copy of a tensor's numbers.
        gradient: returns a copy of a tensor's gradient; None if it has none.
        cross_entropy, mse: losses.
        sgd, adamw: optimisers.
        hook: lets a function see all that a module gives; returns what removes it.
    """

    name: str
    linear: Callable[[int, int], Any]
    batch_norm: Any
    tanh: Any
    relu: Any
    sequential: Any
    module: type[Any]
    tensor: Callable[[np.ndarray], Any]
    array: Callable[[Any], np.ndarray]
    gradient: Callable[[Any], np.ndarray | None]
    cross_entropy: Any
    mse: Any
    sgd: Any
    adamw: Any
    hook: Callable[[Any, Callable[[Any], None]], Callable[[], None]]

    def __str__(self) -> str:
        return self.name

    def net(self, seed: int = 3) -> Any:
        """Return a small network of several kinds of layers; its first weights are the same in both frameworks."""
        model = self.sequential(
            self.linear(FEATURES, 8), self.batch_norm(8), self.tanh(), self.linear(8, 6), self.relu(),
            self.linear(6, CLASSES),
        )  # fmt: skip
        rng = np.random.default_rng(seed)
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and len(parameter.shape) == 2:
                self.put(parameter, rng.standard_normal(tuple(parameter.shape)) / math.sqrt(parameter.shape[1]))
        return model

    def batch(self, rng: np.random.Generator, rows: int = 7) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (rows, FEATURES) and targets (rows,)."""
        return rng.standard_normal((rows, FEATURES)).astype(np.float32), rng.integers(0, CLASSES, rows)

    def put(self, parameter: Any, values: Any) -> None:
        """Give a parameter other numbers, in place."""
        if self.name == "torch":
            with torch.no_grad():
                parameter[...] = torch.as_tensor(values, dtype=torch.float32)
        else:
            parameter.array[...] = values

    def loss(self, model: Any, x: np.ndarray, y: np.ndarray) -> Any:
        return self.cross_entropy(model(self.tensor(x)), self.tensor(y) if self.name == "torch" else y)


def _hook(module: Any, see: Callable[[Any], None]) -> Callable[[], None]:
    removed = module.register_forward_hook(lambda _module, _args, output: see(output))
    return removed if callable(removed) else removed.remove


FRAMEWORKS = [
    Framework(
        name="backlight",
        linear=lambda i, o: nn.Linear(i, o, rng=np.random.default_rng(0)), batch_norm=nn.BatchNorm1d, tanh=nn.Tanh,
        relu=nn.ReLU, sequential=nn.Sequential, module=nn.Module, tensor=autograd.Tensor,
        array=lambda one: one.array.copy(),
        gradient=lambda one: None if one.grad is None else one.grad.array.copy(),
        cross_entropy=nn.cross_entropy, mse=autograd.mse, sgd=optim.SGD, adamw=optim.AdamW,
        hook=_hook,
    ),
    Framework(
        name="torch", linear=torch.nn.Linear, batch_norm=torch.nn.BatchNorm1d, tanh=torch.nn.Tanh,
        relu=torch.nn.ReLU, sequential=torch.nn.Sequential, module=torch.nn.Module, tensor=torch.from_numpy,
        array=lambda one: one.detach().numpy().copy(),
        gradient=lambda one: None if one.grad is None else one.grad.detach().numpy().copy(),
        cross_entropy=F.cross_entropy, mse=F.mse_loss, sgd=torch.optim.SGD, adamw=torch.optim.AdamW, hook=_hook,
    ),
]  # fmt: skip

both = pytest.mark.parametrize("framework", FRAMEWORKS, ids=str)


def layers_of(record: StepRecord) -> dict[str, LayerRecord]:
    return {layer.name: layer for layer in record.layers}


def agrees(spread: Spread | None, array: np.ndarray, *, histogram: bool = True) -> None:
    """Assert that a spread is that of an array."""
    assert spread is not None
    x = array.astype(np.float64)
    assert spread.count == x.size
    found = (spread.mean, spread.std, spread.rms, spread.low, spread.high)
    rms = np.sqrt((x * x).mean())  # a mean near 0 is only as good as the numbers that cancelled
    assert_allclose(found, (x.mean(), x.std(), rms, x.min(), x.max()), rtol=2e-5, atol=1e-6 * rms)
    assert spread.nonfinite == 0
    if not histogram:
        assert spread.histogram is None
        return
    assert spread.histogram is not None
    edges = (spread.histogram.low, spread.histogram.high)
    counts, _ = np.histogram(x.clip(*edges), len(spread.histogram.counts), edges)
    # a number at the edge of two bins may fall in either
    assert np.abs(np.cumsum(counts) - np.cumsum(spread.histogram.counts)).max() <= max(2, 0.01 * x.size)
    assert sum(spread.histogram.counts) == x.size


class Step:
    """Everything that a step's record should hold, gathered by hooks of its own.

    Args:
        framework: the framework.
        model: the network.
        layers: names of the layers whose outputs are compared.
    """

    def __init__(self, framework: Framework, model: Any, layers: list[str]) -> None:
        self._framework = framework
        self._model = model
        self._outputs: dict[str, list[Any]] = {name: [] for name in layers}
        modules = dict(model.named_modules())
        self._removers = [framework.hook(modules[name], self._taker(name)) for name in layers]
        self.before = {name: framework.array(one) for name, one in model.named_parameters()}
        self.gradients: dict[str, Any] = {}

    def _taker(self, name: str) -> Callable[[Any], None]:
        def take(output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple) else output
            if self._framework.name == "torch":  # it may be changed in place
                gradients: list[torch.Tensor] = []
                tensor.register_hook(gradients.append)
                self._outputs[name].append((self._framework.array(tensor), gradients))
            else:
                tensor.retain_grad()
                self._outputs[name].append((self._framework.array(tensor), tensor))

        return take

    def after_backward(self) -> None:
        """Keep the parameters' gradients."""
        self.gradients = {name: self._framework.gradient(one) for name, one in self._model.named_parameters()}

    def output(self, name: str) -> np.ndarray:
        """Return what a layer gave, one call after the other."""
        return np.concatenate([output.reshape(-1) for output, _ in self._outputs[name]])

    def gradient(self, name: str) -> np.ndarray:
        """Return what came back to it."""
        found = [
            one[0].detach().numpy() if isinstance(one, list) else one.grad.detach().numpy()
            for _, one in self._outputs[name]
        ]
        return np.concatenate([one.reshape(-1) for one in found])

    def close(self) -> None:
        """Take the hooks off."""
        for remove in self._removers:
            remove()

    def agrees(self, record: StepRecord, *, matrices: set[str]) -> None:
        """Assert that a record says this, after the step was taken."""
        for layer in record.layers:
            if layer.name in self._outputs:
                agrees(layer.output, self.output(layer.name))
                agrees(layer.gradient, self.gradient(layer.name))
        assert {layer.name for layer in record.layers} >= set(self._outputs)
        for parameter in record.parameters:
            name = parameter.name
            before, gradient = self.before[name], self.gradients[name]
            agrees(parameter.data, before, histogram=False)
            agrees(parameter.gradient, gradient, histogram=name in matrices)
            change = self._framework.array(dict(self._model.named_parameters())[name]) - before
            spread = before.astype(np.float64).std()
            if spread > 0:
                assert parameter.grad_to_data == pytest.approx(gradient.std() / spread, rel=1e-4)
                assert parameter.update_to_data == pytest.approx(change.std() / spread, rel=1e-3)
            assert parameter.moved == bool((change != 0).any())
        norm = math.sqrt(sum(float((one.astype(np.float64) ** 2).sum()) for one in self.gradients.values()))
        assert record.gradient_norm == pytest.approx(norm, rel=1e-4)
        assert record.left_over_norm == 0
        assert (record.forward_passes, record.backward_passes, record.optimiser_steps) == (1, 1, 1)
