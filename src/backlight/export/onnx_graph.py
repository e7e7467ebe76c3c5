"""The networks as ONNX graphs, layer by layer, with the operators of operator set 20.

`OnnxGraph` collects the nodes and the weights, and its methods stand for one layer each. Values are named by numbers.
Sizes of a batch and, for models of sequences, of time are read from the ids when the graph runs.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from backlight.core import Array, ExportError
from backlight.models import GPT, MLP, Bigram, RecurrentModel, WaveNet
from backlight.models.gpt import Block
from backlight.models.neural import NeuralModel
from backlight.nn import (
    GELU,
    GRU,
    LSTM,
    RNN,
    Dropout,
    Embedding,
    FlattenConsecutive,
    LayerNorm,
    Linear,
    Module,
    PositionalEmbedding,
    Sequential,
    Tanh,
)

IDS: Final = "ids"
LOGITS: Final = "logits"

_GATES: Final = {RNN: ("RNN", (0,)), GRU: ("GRU", (1, 0, 2)), LSTM: ("LSTM", (0, 3, 1, 2))}
"""ONNX's operator, and the index of each of its gates among ours.

GRU: z, r, n, and ours r, z, n. LSTM: i, o, f, g, and ours i, f, g, o."""


class OnnxGraph:
    """The nodes and weights of a graph that maps `ids`, (batch, time) int64, to `logits`.

    Attributes:
        nodes: the nodes, in the order in which they are computed.
        weights: the constant tensors.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node. Returns the name of its output, or a list of the names of several."""
        names = [f"{operator}_{len(self.nodes)}_{nth}" for nth in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array: Array | np.generic) -> str:
        """Add a constant, of any shape. Returns its name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def whole(self, *numbers: int) -> str:
        """Add a constant vector of whole numbers, for shapes, axes and bounds."""
        return self.constant(np.array(numbers, np.int64))

    # -- layers ------------------------------------------------------------------------------------------------------

    def apply(self, layer: Module, x: str) -> str:
        """Add a layer in evaluation mode. Returns the name of its output.

        Raises:
            ExportError: there is no form of this kind of layer.
        """
        match layer:
            case Sequential():
                for part in layer.layers:
                    x = self.apply(part, x)
                return x
            case Dropout():
                return x
        for kind, add in _LAYERS.items():
            if isinstance(layer, kind):
                name: str = add(self, layer, x)
                return name
        raise ExportError(f"ONNX has no form of {type(layer).__name__} here. Use --to torch.")

    def linear(self, layer: Linear, x: str) -> str:
        """Add x W + b."""
        y: str = self.node("MatMul", x, self.constant(layer.weight.array))
        if layer.bias is not None:
            y = self.node("Add", y, self.constant(layer.bias.array))
        return y

    def embedding(self, layer: Embedding | PositionalEmbedding, ids: str) -> str:
        """Add a look-up of the rows of a table."""
        y: str = self.node("Gather", self.constant(layer.weight.array), ids)
        return y

    def layer_norm(self, layer: LayerNorm, x: str) -> str:
        """Add a layer norm."""
        gain, bias = self.constant(layer.weight.array), self.constant(layer.bias.array)
        y: str = self.node("LayerNormalization", x, gain, bias, epsilon=layer.eps)
        return y

    def recurrent(self, layer: RNN | GRU | LSTM, x: str) -> str:
        """Add a recurrent layer, (B, T, I) -> (B, T, H). ONNX has time first, and an axis for directions."""
        operator, gates = _GATES[type(layer)]
        H = layer.hidden_size

        def ordered(*arrays: Array) -> str:
            parts = [one[gate * H : (gate + 1) * H] for one in arrays for gate in gates]
            return self.constant(np.concatenate(parts)[None])

        constants = [ordered(layer.weight_ih_l0.array.T), ordered(layer.weight_hh_l0.array.T), ordered(*_biases(layer))]
        settings = {"hidden_size": H} | ({"linear_before_reset": 1} if operator == "GRU" else {})
        x_TBI = self.node("Transpose", x, perm=[1, 0, 2])
        y_T1BH = self.node(operator, x_TBI, *constants, **settings)
        y: str = self.node("Transpose", self.node("Squeeze", y_T1BH, self.whole(1)), perm=[1, 0, 2])
        return y

    def causal_attention(self, block: Block, x: str, mask: str) -> str:
        """Add the attention of a block: softmax(q kᵀ / √D + mask) v of each head. `mask` is (T, T)."""
        layer = block.attention
        H, D = layer.num_heads, layer.embed_dim // layer.num_heads
        # (B, T, 3, H, D) -> (3, B, H, T, D)
        qkv = self.node("Reshape", self.linear(layer.qkv, x), self.whole(0, 0, 3, H, D))
        parts = self.node("Split", self.node("Transpose", qkv, perm=[2, 0, 3, 1, 4]), outputs=3, num_outputs=3)
        q, k, v = (self.node("Squeeze", part, self.whole(0)) for part in parts)
        scores = self.node("MatMul", q, self.node("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.node("Mul", scores, self.constant(np.float32(1 / math.sqrt(D))))
        p = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        y = self.node("Transpose", self.node("MatMul", p, v), perm=[0, 2, 1, 3])
        return self.linear(layer.output, self.node("Reshape", y, self.whole(0, 0, H * D)))


def _biases(layer: RNN | GRU | LSTM) -> list[Array]:
    """Return the two biases of a recurrent layer; ours has one, except the GRU."""
    found: list[Array] = [getattr(layer, name).array for name in layer.biases]
    return found if len(found) == 2 else [found[0], np.zeros_like(found[0])]


def _flatten_consecutive(graph: OnnxGraph, layer: FlattenConsecutive, x: str) -> str:
    channels = graph.node("Mul", graph.node("Shape", x, start=2), graph.whole(layer.n))
    shape = graph.node("Concat", graph.whole(0, -1), channels, axis=0)
    y: str = graph.node("Reshape", x, shape)
    return y


_LAYERS: Final[dict[type[Module], Callable[[OnnxGraph, Any, str], str]]] = {
    Linear: OnnxGraph.linear,
    Embedding: OnnxGraph.embedding,
    LayerNorm: OnnxGraph.layer_norm,
    RNN: OnnxGraph.recurrent,
    GRU: OnnxGraph.recurrent,
    LSTM: OnnxGraph.recurrent,
    Tanh: lambda graph, _, x: graph.node("Tanh", x),
    GELU: lambda graph, _, x: graph.node("Gelu", x, approximate="tanh"),
    FlattenConsecutive: _flatten_consecutive,
}


# -- models ----------------------------------------------------------------------------------------------------------


def _bigram(graph: OnnxGraph, network: Bigram) -> str:
    last = graph.node("Gather", IDS, graph.constant(np.int64(-1)), axis=1)
    return graph.embedding(network.table, last)


def _mlp(graph: OnnxGraph, network: MLP) -> str:
    vectors = graph.node("Flatten", graph.embedding(network.embedding, IDS), axis=1)
    logits = graph.apply(network.output, graph.apply(network.hidden, vectors))
    return logits if network.direct is None else graph.node("Add", logits, graph.apply(network.direct, vectors))


def _wavenet(graph: OnnxGraph, network: WaveNet) -> str:
    joined = graph.apply(network.hidden, graph.embedding(network.embedding, IDS))
    one_left = graph.node("Squeeze", joined, graph.whole(1))
    return graph.apply(network.output, one_left)


def _recurrent(graph: OnnxGraph, network: RecurrentModel) -> str:
    h = graph.embedding(network.embedding, IDS)
    for layer in network.layers:
        h = graph.apply(layer, h)
    return graph.apply(network.output, h)


def _gpt(graph: OnnxGraph, network: GPT) -> str:
    time = graph.node("Shape", IDS, start=1, end=2)
    zero, one = graph.constant(np.int64(0)), graph.constant(np.int64(1))
    positions = graph.node("Range", zero, graph.node("Squeeze", time), one)
    table = graph.constant(network.token.weight.array)
    x = graph.node("Add", graph.node("Gather", table, IDS), graph.embedding(network.position, positions))
    # -inf above the diagonal: a position does not read later ones
    square = graph.node("Concat", time, time, axis=0)
    filled = graph.node("ConstantOfShape", square, value=helper.make_tensor("value", TensorProto.FLOAT, [1], [-np.inf]))
    mask = graph.node("Trilu", filled, one, upper=1)
    for block in network.blocks:
        x = graph.node("Add", x, graph.causal_attention(block, graph.apply(block.first_norm, x), mask))
        x = graph.node("Add", x, graph.apply(block.mlp, graph.apply(block.second_norm, x)))
    x = graph.apply(network.norm, x)
    if network.output is not None:
        return graph.apply(network.output, x)
    y: str = graph.node("MatMul", x, graph.node("Transpose", table, perm=[1, 0]))
    return y


_MODELS: Final[dict[type[NeuralModel], Callable[[OnnxGraph, Any], str]]] = {
    Bigram: _bigram, MLP: _mlp, WaveNet: _wavenet, RecurrentModel: _recurrent, GPT: _gpt,
}  # fmt: skip


def graph_of(network: NeuralModel) -> OnnxGraph:
    """Return the graph of a network in evaluation mode, with batch norms folded.

    Raises:
        ExportError: there is no form of this class of networks.
    """
    for kind, build in _MODELS.items():
        if isinstance(network, kind):
            graph = OnnxGraph()
            graph.nodes.append(helper.make_node("Identity", [build(graph, network)], [LOGITS]))
            return graph
    raise ExportError(f"ONNX has no form of {type(network).__name__} here. Export one of Backlight's own networks.")
