"""The twins of the layers: one line each."""

from typing import Final

import torch

from backlight import nn
from backlight.pytorch.entry import Entry, layer
from backlight.pytorch.recurrent import RECURRENT


class LastAxisBatchNorm1d(torch.nn.BatchNorm1d):
    """PyTorch's batch norm, which looks for the channels on axis 1, given them on the last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised channels, in x's shape."""
        if x.ndim < 3:
            return super().forward(x)
        x_BCT = x.flatten(1, -2).transpose(1, 2)
        return super().forward(x_BCT).transpose(1, 2).reshape(x.shape)


class TorchFlattenConsecutive(torch.nn.Module):
    """(B, T, C) -> (B, T/n, n C), every n-th position beside the one after it."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with every n positions joined, without their axis if one is left."""
        return torch.cat([x[:, first :: self.n] for first in range(self.n)], dim=2).squeeze(1)


class TorchCausalSelfAttention(torch.nn.Module):
    """(B, T, C) -> (B, T, C) by PyTorch's own attention between two of its linear layers."""

    def __init__(self, *, heads: int, dropout: float, qkv: torch.nn.Module, output: torch.nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = qkv
        self.output = output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each position read."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        share = self.dropout if self.training else 0.0
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=share, is_causal=True)
        mixed: torch.Tensor = self.output(y.transpose(1, 2).flatten(2))
        return mixed


class TorchCausalConv1d(torch.nn.Conv1d):
    """PyTorch's convolution, which has the channels on axis 1, given them on the last, and zeros before the start."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mixed positions, (B, T, O)."""
        before = self.dilation[0] * (self.kernel_size[0] - 1)
        return super().forward(torch.nn.functional.pad(x.transpose(1, 2), (before, 0))).transpose(1, 2)


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
    **RECURRENT,
    nn.Sequential: Entry(build=lambda ours, to_torch: torch.nn.Sequential(*map(to_torch, ours.layers))),
}
