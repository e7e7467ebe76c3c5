"""What can go wrong, done to nets that are well. What names the cause was written down before the judges were tried."""

from functools import partial
from typing import Any

import numpy as np
from tests.faults import healthy, ours, theirs
from tests.faults.experiment import Experiment, Fault
from tests.faults.tasks import Data, curve, digits, sequences, windows

from backlight.core import Array

_Drawn = tuple[Array, Array]


def _fault(name: str, base: Experiment, *accepted: str, **parts: Any) -> Fault:
    experiment = base.but(**parts)
    return Fault(name=f"{name} ({base.name})", experiment=experiment, accepted=frozenset(accepted))


# -- first weights -----------------------------------------------------------------------------------------------------


def _scale(kit: Any, layers: slice, factor: float, net: Any) -> None:
    """Multiply the weights of some of the linear layers."""
    for layer in kit.linears(net)[layers]:
        kit.array_of(layer.weight)[...] *= factor


def _fill(kit: Any, value: float, net: Any) -> None:
    """Give all weights of the linear layers one value."""
    for layer in kit.linears(net):
        kit.array_of(layer.weight)[...] = value


def _shift_biases(kit: Any, layers: slice, value: float, net: Any) -> None:
    for layer in kit.linears(net)[layers]:
        kit.array_of(layer.bias)[...] = value


_all, _first, _last, _hidden = slice(None), slice(0, 1), slice(-1, None), slice(0, -1)
_over_ours = partial(partial, _scale, ours)
_over_theirs = partial(partial, _scale, theirs)

FIRST_WEIGHTS = (
    # the last layer of ours starts at a tenth of its Kaiming scale
    _fault("overconfident last layer", healthy.OUR_MLP, "overconfident-start", alter=_over_ours(_last, 100.0)),
    _fault("overconfident last layer", healthy.RELU, "overconfident-start", alter=_over_theirs(_last, 100.0)),
    _fault("saturated tanh", healthy.OUR_MLP, "saturated-units", alter=_over_ours(_first, 15.0)),
    _fault("saturated tanh", healthy.MLP, "saturated-units", alter=_over_theirs(_hidden, 30.0)),
    _fault("tiny first weights", healthy.OUR_RELU, "vanishing-signal", alter=_over_ours(_all, 1e-3)),
    _fault("tiny first weights", healthy.RELU, "vanishing-signal", alter=_over_theirs(_all, 1e-2)),
    _fault("constant first weights", healthy.OUR_RELU, "identical-units", alter=partial(_fill, ours, 0.01)),
    _fault("constant first weights", healthy.RELU, "identical-units", alter=partial(_fill, theirs, 0.01)),
    _fault("all weights 0", healthy.MLP, "identical-units", "vanishing-signal", alter=partial(_fill, theirs, 0.0)),
    _fault(
        "exploding first weights", healthy.OUR_RELU, "exploding-signal", "overconfident-start",
        alter=_over_ours(_all, 20.0),
    ),
    _fault(
        "exploding first weights", healthy.RELU, "exploding-signal", "overconfident-start",
        alter=_over_theirs(_all, 30.0),
    ),
    _fault("ReLUs dead by bias", healthy.OUR_RELU, "dead-units", alter=partial(_shift_biases, ours, _first, -8.0)),
    _fault("ReLUs dead by bias", healthy.RELU, "dead-units", alter=partial(_shift_biases, theirs, _first, -8.0)),
    _fault(
        "eight sigmoids deep", healthy.OUR_RELU, "vanishing-gradients", net=ours.deep_sigmoid,
        optimiser=ours.sgd(0.1, momentum=0.9),
    ),
    _fault(
        "eight sigmoids deep", healthy.RELU, "vanishing-gradients",
        net=lambda _: theirs.deep(theirs.nn.Sigmoid), optimiser=theirs.sgd(0.1, momentum=0.9),
    ),
)  # fmt: skip


# -- the steps ---------------------------------------------------------------------------------------------------------


def _without(kit: Any, net: Any) -> list[Any]:
    """Return all parameters but those of the first hidden layer."""
    left_out = {id(parameter) for parameter in kit.parameters(kit.linears(net)[0])}
    return [parameter for parameter in kit.parameters(net) if id(parameter) not in left_out]


def _faint(data: Data) -> Data:
    """Return pictures with rows of pixels that are next to nothing, as a sensor's dark edge."""
    faint = np.ones(data.x.shape[1:], np.float32)
    faint[:, :4] = 1e-9
    return data.changed(x=data.x * faint, dev_x=data.dev_x * faint)


_TOO_HIGH, _TOO_LOW = "learning-rate-too-high", "learning-rate-too-low"

STEPS = (
    _fault("learning rate too high, SGD", healthy.OUR_MLP, _TOO_HIGH, optimiser=ours.sgd(20.0)),
    _fault("learning rate too high, SGD", healthy.RELU, _TOO_HIGH, optimiser=theirs.sgd(10.0)),
    _fault("learning rate too high, Adam", healthy.OUR_WAVENET, _TOO_HIGH, optimiser=ours.adam(3.0)),
    _fault("learning rate too high, Adam", healthy.MLP, _TOO_HIGH, optimiser=theirs.adam(1.0)),
    _fault("learning rate too high, Adam", healthy.GPT, _TOO_HIGH, optimiser=theirs.adamw(0.3)),
    _fault("learning rate too low, SGD", healthy.OUR_MLP, _TOO_LOW, optimiser=ours.sgd(1e-4)),
    _fault("learning rate too low, SGD", healthy.CNN, _TOO_LOW, optimiser=theirs.sgd(1e-5)),
    _fault("learning rate too low, Adam", healthy.OUR_GPT, _TOO_LOW, optimiser=ours.adam(1e-6)),
    _fault("learning rate too low, Adam", healthy.LSTM, _TOO_LOW, optimiser=theirs.adam(1e-6)),
    _fault("gradients not zeroed", healthy.OUR_MLP, "gradients-not-zeroed", zeroed=False),
    _fault("gradients not zeroed", healthy.RELU, "gradients-not-zeroed", zeroed=False),
    _fault("step not taken", healthy.OUR_WAVENET, "no-step", stepped=False),
    _fault("step not taken", healthy.MLP, "no-step", stepped=False),
    _fault("a layer missing from the optimiser", healthy.OUR_RELU, "not-in-optimiser", held=partial(_without, ours)),
    _fault("a layer missing from the optimiser", healthy.CNN, "not-in-optimiser", held=partial(_without, theirs)),
    _fault(
        "detached graph", healthy.OUR_MLP, "not-reached-by-gradient", net=lambda rng: ours.Detached(ours.mlp(rng))
    ),
    _fault("detached graph", healthy.MLP, "not-reached-by-gradient", net=lambda _: theirs.DetachedMLP()),
    _fault("weight decay 0.5", healthy.OUR_MLP, "weight-decay-dominates", optimiser=ours.sgd(0.1, weight_decay=0.5)),
    _fault("weight decay 0.5", healthy.RELU, "weight-decay-dominates", optimiser=theirs.adam(2e-3, weight_decay=0.5)),
    _fault("low Adam epsilon", healthy.OUR_MLP, "adam-epsilon", optimiser=ours.adam(3e-3, eps=0.0)),
    _fault(
        "low Adam epsilon", healthy.RELU, "adam-epsilon",
        data=lambda rng: _faint(digits(rng)), optimiser=theirs.adam(2e-3, eps=1e-20),
    ),
)  # fmt: skip


# -- the data ----------------------------------------------------------------------------------------------------------


def _shuffled(x: Array, y: Array, rng: np.random.Generator) -> _Drawn:
    return x, rng.permutation(y)


def _relabelled(data: Data, label: int) -> Data:
    """Return the same inputs, all with one label."""
    return data.changed(y=np.where(data.y >= 0, label, -1), dev_y=np.where(data.dev_y >= 0, label, -1))


def _hundredfold(data: Data) -> Data:
    return data.changed(x=data.x * 100, dev_x=data.dev_x * 100)


def _with_nan(x: Array, y: Array, rng: np.random.Generator) -> _Drawn:
    x = x.copy()
    if rng.random() < 0.2:
        x.reshape(len(x), -1)[rng.integers(len(x)), rng.integers(x[0].size)] = np.nan
    return x, y


def _many_alike(data: Data) -> Data:
    """Return a split made after examples were multiplied: most held-out ones are in training too."""
    rows = np.arange(len(data.dev_x))
    return data.changed(
        dev_x=np.where(_of(rows, data.dev_x), data.x[rows], data.dev_x),
        dev_y=np.where(_of(rows, data.dev_y), data.y[rows], data.dev_y),
    )


def _of(rows: Array, like: Array) -> Array:
    return (rows % 4 != 0).reshape(-1, *[1] * (like.ndim - 1))


def _prices(data: Data) -> Data:
    """Return targets in the units of house prices."""
    return data.changed(y=data.y * 80_000 + 250_000, dev_y=data.dev_y * 80_000 + 250_000)


DATA = (
    # the frequencies of 27 letters take most of 200 steps: only then it shows that nothing else is learnt
    _fault("shuffled labels", healthy.OUR_WAVENET, "labels-unrelated", batch=_shuffled, steps=400),
    _fault("shuffled labels", healthy.CNN, "labels-unrelated", batch=_shuffled),
    _fault("constant labels", healthy.OUR_MLP, "labels-constant", data=lambda rng: _relabelled(windows(rng), 3)),
    _fault("constant labels", healthy.LSTM, "labels-constant", data=lambda rng: _relabelled(sequences(rng), 3)),
    _fault("input times 100", healthy.OUR_RELU, "input-scale", data=lambda rng: _hundredfold(digits(rng))),
    _fault("input times 100", healthy.RELU, "input-scale", data=lambda rng: _hundredfold(digits(rng))),
    _fault("NaN in the input", healthy.OUR_RELU, "input-not-finite", batch=_with_nan),
    _fault("NaN in the input", healthy.CNN, "input-not-finite", batch=_with_nan),
    _fault("overfitting", healthy.OUR_DROPOUT, "overfitting", data=lambda rng: digits(rng).first(100), steps=300),
    _fault(
        "overfitting", healthy.MLP, "overfitting", data=lambda rng: windows(rng).first(300), optimiser=theirs.adam(1e-2)
    ),
    _fault("duplicates across the split", healthy.OUR_RELU, "duplicates", data=lambda rng: _many_alike(digits(rng))),
    _fault("duplicates across the split", healthy.CNN, "duplicates", data=lambda rng: _many_alike(digits(rng))),
    _fault("targets in the units of prices", healthy.REGRESSION, "target-scale", data=lambda rng: _prices(curve(rng))),
)


# -- loss and structure ------------------------------------------------------------------------------------------------


def _negated(usual: Any) -> Any:
    return lambda outputs, y: -usual(outputs, y)


def _summed(usual: Any) -> Any:
    return lambda outputs, y: usual(outputs, y) * len(y)


def _softmax_first(usual: Any) -> Any:
    return lambda outputs, y: usual(outputs.softmax(-1), y)


_SUM = partial(theirs.nn.functional.cross_entropy, reduction="sum")

LOSS_AND_STRUCTURE = (
    _fault("softmax twice", healthy.OUR_WAVENET, "softmax-twice", loss=_softmax_first),
    _fault("softmax twice", healthy.RELU, "softmax-twice", net=lambda _: theirs.WithSoftmax(theirs.relu_mlp())),
    _fault("loss with the wrong sign", healthy.OUR_BATCH_NORM, "loss-sign", loss=_negated),
    _fault("loss with the wrong sign", healthy.MLP, "loss-sign", loss=_negated),
    _fault("sum in place of mean", healthy.OUR_MLP, "loss-summed", loss=_summed),
    _fault("sum in place of mean", healthy.RELU, "loss-summed", loss=lambda _: _SUM),
    _fault("no non-linearity", healthy.OUR_RELU, "no-nonlinearity", net=ours.linear_only),
    _fault("no non-linearity", healthy.RELU, "no-nonlinearity", net=lambda _: theirs.linear_only()),
    _fault("training in evaluation mode", healthy.OUR_BATCH_NORM, "evaluation-mode", training=False),
    _fault("training in evaluation mode", healthy.DROPOUT, "evaluation-mode", training=False),
    _fault("too much dropout", healthy.OUR_DROPOUT, "dropout-too-high", net=partial(ours.dropout_mlp, p=0.95)),
    _fault("too much dropout", healthy.DROPOUT, "dropout-too-high", net=lambda _: theirs.dropout_mlp(p=0.9)),
    _fault("bias before batch norm", healthy.OUR_RELU, "bias-before-batch-norm", net=ours.biased_batch_norm),
    _fault(
        "bias before batch norm", healthy.BATCH_NORM, "bias-before-batch-norm",
        net=lambda _: theirs.CharMLP(batch_norm=True, bias=True, layers=5),
    ),
    _fault("few examples under a batch norm", healthy.OUR_BATCH_NORM, "batch-norm-small-batch", batch_size=2),
    _fault("few examples under a batch norm", healthy.BATCH_NORM, "batch-norm-small-batch", batch_size=4),
    _fault("attention that sees the future", healthy.OUR_GPT, "sees-the-future", alter=ours.sees_the_future),
    _fault(
        "attention that sees the future", healthy.GPT, "sees-the-future", net=lambda _: theirs.CharGPT(causal=False)
    ),
    _fault(
        "outputs (N, 1) against targets (N,)", healthy.REGRESSION, "loss-broadcast",
        loss=lambda usual: lambda outputs, y: usual(outputs, y[:, 0]),
    ),
    _fault(
        "dropout that ignores eval()", healthy.RELU, "random-in-evaluation",
        net=lambda _: theirs.with_layer(theirs.AlwaysDrops()),
    ),
    _fault(
        "view where a transpose was meant", healthy.RELU, "examples-mixed",
        net=lambda _: theirs.with_layer(theirs.MixesExamples()), steps=100, evaluate_every=200,
    ),
    _fault(
        "softmax over one output", healthy.RELU, "single-output",
        net=lambda _: theirs.relu_mlp(classes=1), data=lambda rng: _relabelled(digits(rng), 0),
    ),
)  # fmt: skip

FAULTS = FIRST_WEIGHTS + STEPS + DATA + LOSS_AND_STRUCTURE
