"""The layers in PyTorch: a table with one entry each, and the modules that PyTorch does not have in this form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from backlight import nn
from backlight.nn import Module

Conversion = Callable[[Module], torch.nn.Module]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How a class of modules is built in PyTorch.

    Attributes:
        build: takes Backlight's module, and `to_torch` for its children; returns PyTorch's module.
        names: PyTorch's names of the module's own parameters, by Backlight's, where they differ.
        transposed: Backlight's names of the parameters that PyTorch stores transposed.
    """

    build: Callable[[Any, Conversion], torch.nn.Module]
    names: Mapping[str, str] = field(default_factory=dict)
    transposed: frozenset[str] = frozenset()


def layer(
    build: Callable[[Any], torch.nn.Module], *, names: Mapping[str, str] | None = None, transposed: tuple[str, ...] = ()
) -> Entry:
    """Return the entry of a layer without submodules.

    Args:
        build: takes Backlight's layer and returns PyTorch's.
        names: see `Entry`.
        transposed: see `Entry`.
    """
    return Entry(build=lambda ours, _: build(ours), names=names or {}, transposed=frozenset(transposed))


class LastAxisBatchNorm1d(torch.nn.BatchNorm1d):
    """PyTorch's batch norm, which has channels on axis 1, for x (..., C) with channels on the last axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised activations, in x's shape."""
        if x.ndim < 3:
            return super().forward(x)
        x_BCT = x.flatten(1, -2).transpose(1, 2)
        return super().forward(x_BCT).transpose(1, 2).reshape(x.shape)


class TorchFlattenConsecutive(torch.nn.Module):
    """Join the channels of n consecutive positions: (B, T, C) -> (B, T/n, n C)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with n positions joined, without the position axis if a single one is left."""
        return torch.cat([x[:, first :: self.n] for first in range(self.n)], dim=2).squeeze(1)


class TorchCausalSelfAttention(torch.nn.Module):
    """Causal self-attention, (B, T, C) -> (B, T, C): PyTorch's attention function between two linear layers.

    Args:
        heads: the number of heads.
        dropout: the probability of dropping an attention weight in training.
        qkv: computes queries, keys and values, (B, T, C) -> (B, T, 3C).
        output: mixes the heads, (B, T, C) -> (B, T, C).
    """

    def __init__(self, *, heads: int, dropout: float, qkv: torch.nn.Module, output: torch.nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = qkv
        self.output = output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the attention output, in x's shape."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        share = self.dropout if self.training else 0.0
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=share, is_causal=True)
        mixed: torch.Tensor = self.output(y.transpose(1, 2).flatten(2))
        return mixed


class TorchCausalConv1d(torch.nn.Conv1d):
    """PyTorch's convolution, which has channels on axis 1, for x (B, T, I), with zero padding before the start."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution, (B, T, O)."""
        before = self.dilation[0] * (self.kernel_size[0] - 1)
        return super().forward(torch.nn.functional.pad(x.transpose(1, 2), (before, 0))).transpose(1, 2)


def _outputs_only(recurrent: torch.nn.RNNBase) -> torch.nn.RNNBase:
    """Make a recurrent layer return only the states of all steps, without the final state."""
    recurrent.register_forward_hook(_first)
    return recurrent


def _first(layer: torch.nn.Module, inputs: Any, outputs: Any) -> Any:
    del layer, inputs
    return outputs[0]


def _with_one_bias(recurrent: torch.nn.RNNBase) -> torch.nn.RNNBase:
    """Fix PyTorch's second bias, which is redundant because it is added to the first, at 0."""
    zeros = torch.zeros_like(recurrent.get_parameter("bias_hh_l0"))
    del recurrent.bias_hh_l0
    recurrent.register_buffer("bias_hh_l0", zeros)
    return recurrent  # PyTorch rebuilds its list of flat weights when the dtype is set


_WEIGHTS: Final = ("weight_ih_l0", "weight_hh_l0")

LAYERS: Final[dict[type[nn.Module], Entry]] = {
    nn.Linear: layer(
        lambda ours: torch.nn.Linear(ours.in_features, ours.out_features, bias=ours.bias is not None),
        transposed=("weight",),
    ),
    nn.Embedding: layer(lambda ours: torch.nn.Embedding(ours.num_embeddings, ours.embedding_dim)),
    nn.Tanh: layer(lambda _: torch.nn.Tanh()),
    nn.ReLU: layer(lambda _: torch.nn.ReLU()),
    nn.Sigmoid: layer(lambda _: torch.nn.Sigmoid()),
    nn.GELU: layer(lambda _: torch.nn.GELU(approximate="tanh")),
    nn.Flatten: layer(lambda _: torch.nn.Flatten(start_dim=1)),
    nn.BatchNorm1d: layer(lambda ours: LastAxisBatchNorm1d(ours.num_features, eps=ours.eps, momentum=ours.momentum)),
    nn.LayerNorm: layer(lambda ours: torch.nn.LayerNorm(ours.normalized_shape, eps=ours.eps)),
    nn.Dropout: layer(lambda ours: torch.nn.Dropout(ours.p)),
    nn.PositionalEmbedding: layer(lambda ours: torch.nn.Embedding(ours.num_positions, ours.embedding_dim)),
    nn.CausalConv1d: layer(
        lambda ours: TorchCausalConv1d(ours.in_channels, ours.out_channels, ours.kernel_size, dilation=ours.dilation),
        transposed=("weight",),
    ),
    nn.CausalSelfAttention: Entry(
        build=lambda ours, to_torch: TorchCausalSelfAttention(
            heads=ours.num_heads, dropout=ours.dropout, qkv=to_torch(ours.qkv), output=to_torch(ours.output)
        )
    ),
    nn.FlattenConsecutive: layer(lambda ours: TorchFlattenConsecutive(ours.n)),
    nn.RNN: layer(
        lambda ours: _outputs_only(_with_one_bias(torch.nn.RNN(ours.input_size, ours.hidden_size, batch_first=True))),
        transposed=_WEIGHTS,
    ),
    nn.GRU: layer(
        lambda ours: _outputs_only(torch.nn.GRU(ours.input_size, ours.hidden_size, batch_first=True)),
        transposed=_WEIGHTS,
    ),
    nn.LSTM: layer(
        lambda ours: _outputs_only(_with_one_bias(torch.nn.LSTM(ours.input_size, ours.hidden_size, batch_first=True))),
        transposed=_WEIGHTS,
    ),
    nn.Sequential: Entry(build=lambda ours, to_torch: torch.nn.Sequential(*map(to_torch, ours.layers))),
}
