"""PyTorch networks as people build them, each with a batch: what a watcher must cope with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as people write it)


@dataclass(frozen=True)
class Architecture:
    """A network and what it is trained on.

    Attributes:
        make: builds it, after a seed.
        batch: inputs and targets; inputs as `examine` takes them.
        loss: (output, targets) -> loss; None where the output brings its own or the usual one fits.
    """

    name: str
    make: Callable[[], nn.Module]
    batch: Callable[[], tuple[Any, Any]]
    loss: Callable[[Any, Any], torch.Tensor] | None = None

    def __str__(self) -> str:
        return self.name

    def output(self, model: nn.Module, inputs: Any) -> Any:
        if isinstance(inputs, dict):
            return model(**inputs)
        return model(*inputs) if isinstance(inputs, tuple) else model(inputs)

    def loss_of(self, output: Any, targets: Any) -> torch.Tensor:
        if self.loss is not None:
            return self.loss(output, targets)
        if isinstance(output, dict):
            return output["loss"]
        return F.cross_entropy(output.reshape(-1, output.shape[-1]), targets.reshape(-1))


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv1(x))), 2)
        x = F.relu(self.conv2(x), inplace=True)
        return self.head(self.drop(F.max_pool2d(x, 2).flatten(1)))


class Residual(nn.Module):
    """A block that changes the output of its batch norm in place, as torchvision's do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x
        return self.relu(out)


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), Residual(4), Residual(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )


class SequenceClassifier(nn.Module):
    """Returns a tuple: logits, and the state that nobody asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(9, 6), nn.LSTM(6, 7, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(7, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        states, last = self.lstm(self.embed(x))
        return self.head(states[:, -1]), last


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.gru = nn.Embedding(9, 6), nn.GRU(6, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.embed(x))[0])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.cls.expand(len(x), -1, -1), self.embed(x)], dim=1)
        return self.head(self.encoder(x)[:, 0])


class UNet(nn.Module):
    """One module twice in a row, one convolution shared by both levels, and a skip by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.SiLU())
        self.again = self.middle
        self.up, self.out = nn.ConvTranspose2d(4, 4, 2, stride=2), nn.Conv2d(8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = self.down(x)
        low = self.again(self.middle(F.max_pool2d(skip, 2)))
        return self.out(torch.cat([self.up(low), skip], dim=1))


class WithOwnLoss(nn.Module):
    """Takes keywords and returns a dict with its loss in it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh()), nn.Linear(8, 5)

    def forward(self, *, features: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        hidden = self.body(features)
        logits = self.head(hidden)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits, "hidden": [hidden]}


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 4))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.encode(left), self.encode(right)


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(9, 6, sparse=True), nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.bag(x))


class TiedGPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(9, 8), nn.Embedding(6, 8)
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 9, bias=False)
        self.head.weight = self.token.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.token(x) + self.position(torch.arange(x.shape[1]))
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        n = self.norm(h)
        return self.head(h + self.attention(n, n, n, attn_mask=later, need_weights=False)[0])


class CellLoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(9, 6), nn.LSTMCell(6, 7), nn.Linear(7, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = torch.zeros(len(x), 7)
        for t in range(x.shape[1]):
            h, c = self.cell(self.embed(x[:, t]), (h, c))
        return self.head(h)


class Normed(nn.Module):
    """Channels in the middle, a norm by parametrisation, one whose forward pass changes a buffer, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 3))
        self.group, self.act = nn.GroupNorm(2, 4), nn.PReLU()
        self.head = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5))
        self.calls = 0
        self.last: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.last = self.act(self.group(self.conv(x)))
        return self.head(self.last.mean(-1))


def autoencoder() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 3), nn.Hardtanh(), nn.Linear(3, 6), nn.Sigmoid())


def _contrast(output: Any, targets: Any) -> torch.Tensor:
    left, right = output
    return F.binary_cross_entropy_with_logits((left * right).sum(1), targets)


def images() -> tuple[Any, Any]:
    return torch.randn(6, 1, 12, 12), torch.randint(0, 5, (6,))


def ids() -> tuple[Any, Any]:
    return torch.randint(0, 9, (6, 6)), torch.randint(0, 5, (6,))


def tagged() -> tuple[Any, Any]:
    return torch.randint(0, 9, (6, 6)), torch.randint(0, 5, (6, 6))


def text() -> tuple[Any, Any]:
    x = torch.randint(0, 9, (6, 7))
    return x[:, :-1], x[:, 1:]


def features() -> tuple[Any, Any]:
    return torch.rand(6, 6), torch.rand(6, 6)


ARCHITECTURES = [
    Architecture("CNN", ConvNet, images),
    Architecture("ResNet", resnet, images),
    Architecture("LSTM, tuple", SequenceClassifier, ids, lambda out, y: F.cross_entropy(out[0], y)),
    Architecture("GRU tagger", Tagger, tagged),
    Architecture("transformer encoder", Encoder, ids),
    Architecture(
        "U-Net",
        UNet,
        lambda: (torch.randn(4, 1, 8, 8), torch.randint(0, 3, (4, 8, 8))),
        F.cross_entropy,
    ),
    Architecture("dict", WithOwnLoss, lambda: ({"features": torch.randn(6, 6), "labels": torch.arange(6) % 5}, None)),
    Architecture("siamese", Siamese, lambda: ((torch.randn(6, 6), torch.randn(6, 6)), torch.ones(6)), _contrast),
    Architecture("embedding bag", Bag, ids),
    Architecture("tied GPT", TiedGPT, text),
    Architecture("cell in a loop", CellLoop, ids),
    Architecture("norms", Normed, lambda: (torch.randn(6, 3, 7), torch.randint(0, 5, (6,)))),
    Architecture("autoencoder", autoencoder, features, F.binary_cross_entropy),
]
