"""The units of a network on one line of text: their values, and the inputs that have the largest weights.

Recorded are the units of activations and recurrent layers, and the logits. What a layer reads is found in a forward
pass: the numbers that it is given lie where another layer has put them, since reshaping does not move them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array, FloatArray, IntArray
from backlight.models.neural import NeuralModel
from backlight.nn import Embedding, Linear, Module
from backlight.nn.recurrent import Recurrent
from backlight.watch.records import UnitSource, UnitsRecord

MOST: Final = 512
"""Units of all layers together at most; of larger layers, the first ones are recorded."""

STRONGEST: Final = 5
"""Inputs of a unit that are recorded."""

_ELEMENTWISE: Final = {"activation", "batch_norm", "dropout"}
_CANDIDATES: Final = {"RNN": 0, "GRU": 2, "LSTM": 2}
"""Which of the gates of a recurrent layer makes the new content of its state."""


@dataclass(frozen=True)
class _Call:
    """What a layer read and gave in a forward pass."""

    name: str
    module: Module
    read: Any
    gave: FloatArray


def units_of(
    network: NeuralModel, run: Callable[[], Tensor], tokens: IntArray, positions: int
) -> tuple[UnitsRecord, ...]:
    """Return the units of a network, which is in evaluation mode.

    Args:
        network: the network.
        run: runs it on the line, without a graph.
        tokens: (K,) ids, which stand for tokens among the inputs.
        positions: of the line, N.
    """
    calls, result = _calls(network, run)
    logits = _source(result, calls)
    chosen = [one for one in calls if one.module.layer_kind.role in {"activation", "recurrent"} or one is logits]
    most = max(1, MOST // max(1, len(chosen)))
    found = []
    for one in chosen:
        values = _by_position(one.gave, positions, windows=network.reads == "windows")
        if values is not None:
            weights, sources, of = _weights(one, calls, tokens, network.vocabulary_size)
            units = tokens[:most] if one is logits else np.arange(min(most, values.shape[1]))
            taken = None if weights is None else weights[:, units]
            found.append(_record(one.name, values, units, taken, sources=sources, of=of, tokens=one is logits))
    return tuple(found)


def _calls(network: NeuralModel, run: Callable[[], Tensor]) -> tuple[list[_Call], FloatArray]:
    """Return the calls of the network's layers, in their order, and its output."""
    calls: list[_Call] = []

    def noting(name: str) -> Callable[[Module, tuple[Any, ...], Tensor], None]:
        def note(module: Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            calls.append(_Call(name, module, getattr(inputs[0], "array", inputs[0]), output.array))

        return note

    named = [(name, one) for name, one in network.named_modules() if one.layer_kind.role not in {"other", "container"}]
    removals = [one.register_forward_hook(noting(name)) for name, one in named]
    try:
        result = run().array
    finally:
        for remove in removals:
            remove()
    return calls, result


def _record(
    layer: str, values: FloatArray, units: IntArray, weights: FloatArray | None, *, sources: tuple[UnitSource, ...],
    of: str, tokens: bool,
) -> UnitsRecord:  # fmt: skip
    strongest, inputs, input_scale = (0, "", 1.0) if weights is None else _strongest(weights)
    scale, coded = _coded(values[:, units])
    return UnitsRecord(
        layer=layer, units=len(units), of=values.shape[1], tokens=tokens, scale=scale, values=coded.hex(),
        strongest=strongest, inputs=inputs, input_scale=input_scale, sources=sources, weights_of=of,
    )  # fmt: skip


def _by_position(gave: FloatArray, positions: int, *, windows: bool) -> FloatArray | None:
    """Return the outputs at each position of the line, (N, units); None if they do not belong to positions.

    Of several places in the window of a position, the last one is taken, next to what is predicted.
    """
    if gave.ndim == 3:
        gave = gave[:, -1] if windows else gave[0]
    return gave if gave.ndim == 2 and len(gave) == positions else None


def _weights(
    call: _Call, calls: list[_Call], tokens: IntArray, vocabulary: int
) -> tuple[FloatArray | None, tuple[UnitSource, ...], str]:
    """Return the weights of a layer's units, (inputs, units), what the inputs are, and the layer that has them."""
    while call.module.layer_kind.role in _ELEMENTWISE:  # its unit is the same unit of what it reads
        before = _source(call.read, calls)
        if before is None or before.gave.shape[-1] != call.gave.shape[-1]:
            return None, (), ""
        call = before
    module = call.module
    if isinstance(module, Embedding):  # a one-hot vector times its table
        return module.weight.array[tokens], (UnitSource(layer=call.name, count=len(tokens), places=1),), call.name
    if isinstance(module, Linear):
        weights, sources = _from_input(module.weight.array, call.read, calls, tokens, vocabulary)
        return weights, sources, call.name
    if isinstance(module, Recurrent):
        size, gate = module.hidden_size, _CANDIDATES[type(module).__name__]
        of_gate = slice(gate * size, (gate + 1) * size)
        new, sources = _from_input(module.weight_ih_l0.array[:, of_gate], call.read, calls, tokens, vocabulary)
        state = UnitSource(layer=call.name, count=size, before=True)
        return np.concatenate([new, module.weight_hh_l0.array[:, of_gate]]), (*sources, state), call.name
    return None, (), ""


def _from_input(
    weights: Array, read: Any, calls: list[_Call], tokens: IntArray, vocabulary: int
) -> tuple[FloatArray, tuple[UnitSource, ...]]:
    """Return weights by token where embeddings are read, and otherwise by unit of the layer that is read."""
    source = _source(read, calls)
    size = len(weights)
    if source is None or size % source.gave.shape[-1]:
        return weights, (UnitSource(layer="", count=size),)
    width = source.gave.shape[-1]
    places = size // width
    module = source.module
    if isinstance(module, Embedding) and module.weight.array.shape == (vocabulary, width):
        vectors = module.weight.array[tokens]
        by_token = [vectors @ weights[place * width : (place + 1) * width] for place in range(places)]
        return np.concatenate(by_token), (UnitSource(layer=source.name, count=places * len(tokens), places=places),)
    return weights, tuple(UnitSource(layer=source.name, count=width) for _ in range(places))


def _source(read: Any, calls: list[_Call]) -> _Call | None:
    """Return the layer whose output is read; of several that pass the same numbers on, the first."""
    if not isinstance(read, np.ndarray):
        return None
    place = read.__array_interface__["data"][0]
    return next(
        (one for one in calls if one.gave.__array_interface__["data"][0] == place and one.gave.size == read.size), None
    )


def _strongest(weights: FloatArray) -> tuple[int, str, float]:
    """Return how many inputs of each unit are recorded, these as hexadecimal, and their scale."""
    count = min(STRONGEST, len(weights))
    order = np.argsort(-np.abs(weights), axis=0, kind="stable")[:count]
    scale, coded = _coded(np.take_along_axis(weights, order, axis=0).T)
    numbers = order.T.astype(">u4").tobytes()
    each = ((numbers[4 * at + 1 : 4 * at + 4], coded[at : at + 1]) for at in range(len(coded)))
    return count, b"".join(one for pair in each for one in pair).hex(), scale


def _coded(values: FloatArray) -> tuple[float, bytes]:
    """Return a scale, and numbers as bytes: divided by it and multiplied by 127, plus 128."""
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    scale = float(np.abs(finite).max(initial=0.0)) or 1.0
    return scale, (np.round(finite / scale * 127) + 128).astype(np.uint8).tobytes()
