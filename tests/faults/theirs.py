"""Nets of PyTorch's own layers, as people write them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tests.faults.tasks import SIDE, Data
from torch import nn

from backlight.core import Array

PIXELS = SIDE * SIDE


def inputs(x: Array) -> torch.Tensor:
    return torch.from_numpy(x)


targets = inputs


def _cross_entropy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1), ignore_index=-1)


def loss_of(data: Data) -> Callable[[Any, Any], Any]:
    return nn.functional.mse_loss if data.classes is None else _cross_entropy


def adam(lr: float, **settings: Any) -> Callable[[Any], Any]:
    return lambda parameters: torch.optim.Adam(parameters, lr=lr, **settings)


def adamw(lr: float, **settings: Any) -> Callable[[Any], Any]:
    return lambda parameters: torch.optim.AdamW(parameters, lr=lr, **settings)


def sgd(lr: float, **settings: Any) -> Callable[[Any], Any]:
    return lambda parameters: torch.optim.SGD(parameters, lr=lr, **settings)


class CharMLP(nn.Module):
    """Embeddings, tanh layers, logits: PyTorch's own first weights, but small last ones."""

    def __init__(
        self, *, hidden: int = 64, layers: int = 2, batch_norm: bool = False, bias: bool | None = None
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(27, 10)
        stack: list[nn.Module] = []
        for fan_in in (40, *[hidden] * (layers - 1)):
            stack.append(nn.Linear(fan_in, hidden, bias=not batch_norm if bias is None else bias))
            stack += [nn.BatchNorm1d(hidden), nn.Tanh()] if batch_norm else [nn.Tanh()]
        self.hidden = nn.Sequential(*stack)
        self.output = nn.Linear(hidden, 27)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.hidden(self.embedding(x).flatten(1)))


class DetachedMLP(CharMLP):
    """The same with a `.detach()` left over."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.hidden(self.embedding(x).flatten(1)).detach())


class CharWaveNet(nn.Module):
    """Pairs joined level by level; batch norm wants the channels in the middle."""

    def __init__(self, *, hidden: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(27, 10)
        self.first = nn.Linear(20, hidden, bias=False)
        self.first_norm = nn.BatchNorm1d(hidden)
        self.second = nn.Linear(2 * hidden, hidden, bias=False)
        self.second_norm = nn.BatchNorm1d(hidden)
        self.output = nn.Linear(hidden, 27)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embedding(x).view(len(x), 2, 20)
        h = torch.tanh(self.first_norm(self.first(h).transpose(1, 2)).transpose(1, 2))
        return self.output(torch.tanh(self.second_norm(self.second(h.flatten(1)))))


class CharLSTM(nn.Module):
    """An LSTM whose layer returns a tuple, as PyTorch's do."""

    def __init__(self, *, hidden: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(27, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 27)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(self.embedding(x))
        return self.output(states)


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.project(y.transpose(1, 2).reshape(B, T, C))


class _Block(nn.Module):
    def __init__(self, channels: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = _Attention(channels, heads, causal=causal)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class CharGPT(nn.Module):
    """A small GPT in the manner of nanoGPT."""

    def __init__(self, *, channels: int = 32, heads: int = 4, layers: int = 2, causal: bool = True) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(27, channels), nn.Embedding(12, channels)
        self.blocks = nn.Sequential(*[_Block(channels, heads, causal=causal) for _ in range(layers)])
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 27, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.token(x) + self.position(torch.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(x)))


class CNN(nn.Module):
    """Two convolutions with batch norm and functional ReLUs, which no hook sees."""

    def __init__(self, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(16 * (SIDE // 4) ** 2, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(nn.functional.relu(self.norm1(self.conv1(x))), 2)
        x = nn.functional.max_pool2d(nn.functional.relu(self.norm2(self.conv2(x))), 2)
        return self.output(self.dropout(x.flatten(1)))


class AlwaysDrops(nn.Module):
    """Dropout by a function that is not told of the mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.2)


class MixesExamples(nn.Module):
    """Turns (B, C) over by a view where it stays the same size, so that examples run into each other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, C = x.shape
        return x.t().reshape(B, C)


def with_layer(extra: nn.Module, *, place: int = 3) -> nn.Module:
    """Return a ReLU MLP with one more layer."""
    layers = list(relu_mlp())
    return nn.Sequential(*layers[:place], extra, *layers[place:])


def relu_mlp(*, hidden: int = 64, classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(PIXELS, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, classes),
    )  # fmt: skip


def dropout_mlp(*, p: float = 0.2) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(PIXELS, 64), nn.ReLU(), nn.Dropout(p),
        nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p),
        nn.Linear(64, 10),
    )  # fmt: skip


def regressor() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))


def deep(activation: Callable[[], nn.Module], *, layers: int = 6, width: int = 32) -> nn.Module:
    middle = [layer for _ in range(layers) for layer in (nn.Linear(width, width), activation())]
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, width), activation(), *middle, nn.Linear(width, 10))


def linear_only() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 64), nn.Linear(64, 64), nn.Linear(64, 10))


class WithSoftmax(nn.Module):
    """A net that ends in a softmax, before a loss that takes one too."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.softmax = net, nn.Softmax(dim=-1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.softmax(self.net(x))


def linears(net: nn.Module) -> list[Any]:
    return [module for module in net.modules() if isinstance(module, nn.Linear | nn.Conv2d)]


def array_of(parameter: torch.Tensor) -> Array:
    """Return a parameter's numbers, which may be changed in place."""
    return parameter.detach().numpy()


def parameters(net: nn.Module) -> list[torch.Tensor]:
    return list(net.parameters())


def kaiming(net: nn.Module, gain: float) -> nn.Module:
    """Draw all matrices anew with this gain over the root of the fan-in."""
    for layer in linears(net):
        nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    return net


def seeded(rng: np.random.Generator) -> None:
    """Let PyTorch's global random numbers depend on the experiment's seed."""
    torch.manual_seed(int(rng.integers(2**31)))
