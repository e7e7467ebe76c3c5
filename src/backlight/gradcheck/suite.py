"""The comparison of all gradients with PyTorch's and with central differences."""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from backlight.autograd import Tensor, no_grad
from backlight.autograd.gradcheck import central_difference, measured_against, some_places
from backlight.core import NOT_A_TARGET, Array, ConfigError, compare
from backlight.gradcheck import layer_cases, model_cases, op_cases
from backlight.gradcheck.row import Row
from backlight.models import MODELS, model_spec
from backlight.nn import Module

AnyCase = TypeVar("AnyCase")

MOST = 20
"""The most elements per array of a layer or model for central differences, drawn at random. PyTorch checks all."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The errors of one op, layer or parameter in one case."""

    name: str
    case: str
    torch: float | None
    differences: float | None


Shares = dict[str, float]
"""The error of the gradient of each input or parameter by name, relative to the scale of all of them together."""


def torch_version() -> str | None:
    """Return PyTorch's version, or None if it is not installed."""
    return importlib.metadata.version("torch") if _has_torch() else None


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def check_ops(seed: int) -> list[Row]:
    """Return a row for each op, over all its cases, with random numbers from this seed."""
    return _rows("op", (_op(case, rng) for case, rng in _each(op_cases.CASES, seed)))


def check_layers(seed: int) -> list[Row]:
    """Return a row for each class of layer: its parameters and its input, in training and evaluation mode."""
    return _rows(
        "layer",
        (
            _layer(case, rng, training)
            for training in (True, False)
            for case, rng in _each(layer_cases.CASES, seed)
        ),
    )  # fmt: skip


def check_model(name: str, seed: int) -> list[Row]:
    """Return a row for each parameter of a model, over several small configurations.

    Raises:
        ConfigError: an unknown model, or an n-gram model, which has no gradients.
    """
    if model_spec(name).counted:
        others = ", ".join(spec.name for spec in MODELS.values() if not spec.counted)
        raise ConfigError(f"gradcheck needs a neural network: {others}; got {name}, which has no gradients.")
    if name not in model_cases.SMALL:
        raise ConfigError(
            f"gradcheck has no cases for {name}. Add them to SMALL and CASES in gradcheck/model_cases.py."
        )
    cases = [case for case in model_cases.CASES if case.model == name]
    return _rows(name, (found for case, rng in _each(cases, seed) for found in _model(case, rng)))


# -- one case ----------------------------------------------------------------------------------------------------------


def _op(case: op_cases.OpCase, rng: np.random.Generator) -> _Found:
    arrays = case.make(rng)
    y, saved = case.forward(arrays)
    dy = np.asarray(rng.standard_normal(np.shape(y)), y.dtype)
    ours = _named(case.kind.backward(dy, saved))
    torch = None
    if _has_torch():
        from backlight.pytorch.gradients import op_gradients

        torch = _from_torch(ours, _named(op_gradients(case.op, arrays, dy, **case.settings)), dy)
    differences = None
    if case.smooth:
        differences = _from_differences(ours, lambda: case.forward(arrays)[0], _named(arrays), dy, rng, most=None)
    return _Found(case.op, str(case), _worst(torch), _worst(differences))


def _layer(case: layer_cases.LayerCase, rng: np.random.Generator, training: bool) -> _Found:
    layer, x = case.make(rng).train(training), case.x(rng)
    arrays = {name: parameter.array for name, parameter in layer.named_parameters()}
    given = Tensor(x, requires_grad=True) if x.dtype.kind == "f" else x
    y = layer(given)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    ours = _gradients(layer)
    if isinstance(given, Tensor):
        arrays["x"], ours["x"] = x, given.grad.array if given.grad is not None else np.zeros_like(x)
    torch = None
    if _has_torch():
        from backlight.pytorch.gradients import layer_gradients

        torch = _from_torch(ours, layer_gradients(layer, x, dy), dy)
    with no_grad():
        differences = _from_differences(ours, lambda: layer(given).array, arrays, dy, rng)
    mode = "training" if training else "evaluation"
    return _Found(type(layer).__name__, f"{case}, in {mode}", _worst(torch), _worst(differences))


def _model(case: model_cases.ModelCase, rng: np.random.Generator) -> Iterator[_Found]:
    """Check the logits and the loss of a model at once, since the loss may handle padding in its own way."""
    model = case.make(rng)
    batch = case.batch(model, rng)
    logits = model(batch.x)
    dlogits = rng.standard_normal(logits.shape)
    # the loss is a mean; multiplied by the number of targets, it has the same weight as the logits
    dloss = float(rng.standard_normal() * np.count_nonzero(batch.y != NOT_A_TARGET))
    logits.backward(dlogits)
    model.loss(batch).backward(np.array(dloss))
    ours, dy = _gradients(model), np.append(dlogits, dloss)
    torch = None
    if _has_torch():
        from backlight.pytorch.gradients import model_gradients

        torch = _from_torch(ours, model_gradients(model, batch, dlogits, dloss), dy)
    arrays = {name: parameter.array for name, parameter in model.named_parameters()}
    with no_grad():
        differences = _from_differences(
            ours, lambda: np.append(model(batch.x).array, model.loss(batch).array), arrays, dy, rng
        )
    for name in ours:
        yield _Found(name, str(case), None if torch is None else torch[name], differences[name])


def _named(arrays: Sequence[Array]) -> dict[str, Array]:
    return {f"input {number}": array for number, array in enumerate(arrays)}


def _gradients(module: Module) -> dict[str, Array]:
    return {
        name: np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.array
        for name, parameter in module.named_parameters()
    }


def _from_torch(ours: Mapping[str, Array], theirs: Mapping[str, Array], dy: Array) -> Shares:
    compared = [compare(name, mine, theirs.get(name, np.zeros_like(mine))) for name, mine in ours.items()]
    return dict(zip(ours, measured_against(compared, dy), strict=True))


def _from_differences(
    ours: Mapping[str, Array], evaluate: Callable[[], Array], arrays: Mapping[str, Array], dy: Array,
    rng: np.random.Generator, most: int | None = MOST,
) -> Shares:  # fmt: skip
    compared = []
    for name, mine in ours.items():
        places = some_places(mine, most, rng)
        slopes = central_difference(evaluate, arrays[name], dy, places=places)
        compared.append(compare(name, mine.reshape(-1)[places], slopes))
    return dict(zip(ours, measured_against(compared, dy), strict=True))


def _worst(shares: Shares | None) -> float | None:
    return None if shares is None else max(shares.values(), default=0.0)


# -- all cases ---------------------------------------------------------------------------------------------------------


def _each(cases: Iterable[AnyCase], seed: int) -> Iterator[tuple[AnyCase, np.random.Generator]]:
    """Yield each case with a generator of its own."""
    for number, case in enumerate(cases):
        yield case, np.random.default_rng([seed, number])


def _rows(group: str, found: Iterable[_Found]) -> list[Row]:
    """Return a row for each name, in the order of first occurrence."""
    by_name: dict[str, list[_Found]] = {}
    for result in found:
        by_name.setdefault(result.name, []).append(result)
    return [_row(group, name, results) for name, results in by_name.items()]


def _row(group: str, name: str, found: list[_Found]) -> Row:
    torch = [(result.torch, result.case) for result in found if result.torch is not None]
    differences = [(result.differences, result.case) for result in found if result.differences is not None]
    torch_worst, torch_case = max(torch, default=(None, None))
    differences_worst, differences_case = max(differences, default=(None, None))
    return Row(
        group=group, name=name, cases=len(found), torch=torch_worst, torch_case=torch_case,
        differences=differences_worst, differences_case=differences_case,
    )  # fmt: skip
