"""The twins of the layers: one line each."""

from typing import Final

import torch

from backlight import nn
from backlight.twins.entry import Entry, layer
from backlight.twins.recurrent import RECURRENT


class LastAxisBatchNorm1d(torch.nn.BatchNorm1d):
    """PyTorch's batch norm, which looks for the channels on axis 1, given them on the last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised channels, in x's shape."""
        if x.ndim < 3:
            return super().forward(x)
        x_BCT = x.flatten(1, -2).transpose(1, 2)
        return super().forward(x_BCT).transpose(1, 2).reshape(x.shape)


class FlattenConsecutiveTwin(torch.nn.Module):
    """(B, T, C) -> (B, T/n, n C), every n-th position beside the one after it."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with every n positions joined, without their axis if one is left."""
        return torch.cat([x[:, first :: self.n] for first in range(self.n)], dim=2).squeeze(1)


LAYERS: Final[dict[type[nn.Module], Entry]] = {
    nn.Linear: layer(
        lambda ours: torch.nn.Linear(ours.fan_in, ours.fan_out, bias=ours.bias is not None), transposed=("weight",)
    ),
    nn.Embedding: layer(lambda ours: torch.nn.Embedding(ours.count, ours.size)),
    nn.Tanh: layer(lambda _: torch.nn.Tanh()),
    nn.ReLU: layer(lambda _: torch.nn.ReLU()),
    nn.Sigmoid: layer(lambda _: torch.nn.Sigmoid()),
    nn.GELU: layer(lambda _: torch.nn.GELU(approximate="tanh")),
    nn.Flatten: layer(lambda _: torch.nn.Flatten(start_dim=1)),
    nn.BatchNorm1d: layer(lambda ours: LastAxisBatchNorm1d(ours.channels, eps=ours.eps, momentum=ours.momentum)),
    nn.LayerNorm: layer(lambda ours: torch.nn.LayerNorm(ours.channels, eps=ours.eps)),
    nn.Dropout: layer(lambda ours: torch.nn.Dropout(ours.p)),
    nn.FlattenConsecutive: layer(lambda ours: FlattenConsecutiveTwin(ours.n)),
    **RECURRENT,
    nn.Sequential: Entry(build=lambda ours, twin_of: torch.nn.Sequential(*map(twin_of, ours.layers))),
}
