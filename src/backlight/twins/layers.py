"""The twins of the layers: one line each."""

from typing import Final

import torch

from backlight import nn
from backlight.twins.entry import Entry, layer

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
    nn.Sequential: Entry(build=lambda ours, twin_of: torch.nn.Sequential(*map(twin_of, ours.layers))),
}
