"""Small networks that several cases share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mlp(features: int = 20, out: int = 5, width: int = 64, *more: nn.Module) -> nn.Sequential:
    """Return two hidden layers of ReLUs, and whatever else follows the last layer."""
    return nn.Sequential(
        nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out), *more
    )


def values(features: int, actions: int, width: int = 32) -> nn.Sequential:
    """Return a small net of tanh units, for a few states that are told apart by single ones."""
    return nn.Sequential(
        nn.Linear(features, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, actions)
    )


def cnn(kinds: int = 4, channels: int = 1, width: int = 16) -> nn.Sequential:
    """Return two convolutions, a mean over the picture and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.LazyLinear(kinds),
    )  # fmt: skip


def pixelwise(channels: int = 1, out: int = 1, width: int = 16) -> nn.Sequential:
    """Return convolutions that keep the size of the picture."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, out, 1),
    )  # fmt: skip


class Attention(nn.Module):
    """Self-attention over (B, T, C), with what several cases change open to a subclass."""

    def __init__(self, width: int = 32, heads: int = 2, *, causal: bool = False) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads, self.causal = heads, causal

    def heads_of(self, x: Tensor) -> Tensor:
        """(B, T, C) as (B, heads, T, C / heads)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5

    def masked(self, scores: Tensor, empty: Tensor | None) -> Tensor:
        """Hide the keys that are empty, (B, T) of bool."""
        if empty is not None:
            scores = scores.masked_fill(empty[:, None, None], -torch.inf)
        if self.causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -torch.inf)
        return scores

    def forward(self, x: Tensor, empty: Tensor | None = None) -> Tensor:
        q, k, v = map(self.heads_of, self.qkv(x).chunk(3, -1))
        weights = self.masked(self.scores(q, k), empty).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(x.shape))


class Block(nn.Module):
    """Attention and an MLP, each with a norm before it and a shortcut around it."""

    def __init__(self, attention: nn.Module, width: int = 32, norm: type[nn.Module] | None = None) -> None:
        super().__init__()
        self.norm1, self.norm2 = (norm or nn.LayerNorm)(width), nn.LayerNorm(width)
        self.attention = attention
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, empty: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.norm1(x), empty)
        return x + self.mlp(self.norm2(x))


class TinyGPT(nn.Module):
    """Embeddings, one causal block, logits."""

    def __init__(self, vocab: int = 12, length: int = 24, width: int = 32, block: nn.Module | None = None) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(vocab, width), nn.Embedding(length, width)
        self.block = block or Block(Attention(width, causal=True), width)
        self.head = nn.Linear(width, vocab)

    def embedded(self, ids: Tensor) -> Tensor:
        return self.token(ids) + self.place(torch.arange(ids.shape[1]))

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.block(self.embedded(ids)))


class Reader(nn.Module):
    """Reads padded ids by attention and answers from the first position. Id 0 is padding."""

    def __init__(self, vocab: int = 9, out: int = 8, length: int = 10, attention: nn.Module | None = None) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(vocab, 32), nn.Embedding(length, 32)
        self.blocks = nn.ModuleList([Block(attention or Attention()), Block(Attention())])
        self.head = nn.Linear(32, out)

    def embedded(self, ids: Tensor) -> Tensor:
        return self.token(ids) + self.place(torch.arange(ids.shape[1]))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedded(ids)
        for block in self.blocks:
            x = block(x, ids == 0)
        return self.head(x[:, 0])


class VAE(nn.Module):
    """Returns the reconstruction, the mean and the log of the variance of the latents."""

    def __init__(self, features: int = 64, latents: int = 4, width: int = 64) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, 2 * latents))
        self.decode = nn.Sequential(nn.Linear(latents, width), nn.ReLU(), nn.Linear(width, features))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x).chunk(2, -1)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean) if self.training else mean
        return self.decode(z), mean, logvar


def kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return the mean divergence from a standard normal, summed over the latents."""
    return -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(1).mean()


def over_time(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of (B, T, classes) against (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())
