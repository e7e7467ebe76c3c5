"""Small made-up tasks, each learnt within a few hundred steps."""

import torch
from torch import Tensor


def rows(count: int, size: int = 32) -> Tensor:
    """Return the numbers of the examples of one minibatch."""
    return torch.randint(count, (size,))


def classes(n: int = 1024, features: int = 20, kinds: int = 5) -> tuple[Tensor, Tensor]:
    """Return points, and which of their first numbers is the largest."""
    x = torch.randn(n, features)
    return x, x[:, :kinds].argmax(1)


def products(n: int = 1024, features: int = 20) -> tuple[Tensor, Tensor]:
    """Return points, and whether their first two numbers have the same sign, (N, 1)."""
    x = torch.randn(n, features)
    return x, (x[:, 0] * x[:, 1] > 0).float()[:, None]


def curve(n: int = 1024, features: int = 6) -> tuple[Tensor, Tensor]:
    """Return points and a number that bends with them, of variance about 1."""
    x = torch.randn(n, features)
    return x, (x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2])).div(1.2)


def chain(n: int = 512, length: int = 24, vocab: int = 12) -> Tensor:
    """Return ids where each mostly decides the next, another one."""
    order = torch.randperm(vocab)
    follows = order.roll(-1)[order.argsort()]
    ids = torch.randint(vocab, (n, length))
    for t in range(1, length):
        ids[:, t] = torch.where(torch.rand(n) < 0.9, follows[ids[:, t - 1]], ids[:, t])
    return ids


def padded(n: int = 2048, length: int = 10, vocab: int = 8, shortest: int = 3) -> tuple[Tensor, Tensor]:
    """Return ids 1 to `vocab`, filled up with 0 at the end, and their lengths."""
    ids = torch.randint(1, vocab + 1, (n, length))
    lengths = torch.randint(shortest, length + 1, (n,))
    return torch.where(torch.arange(length) < lengths[:, None], ids, 0), lengths


def pictures(n: int = 1024, side: int = 10, noise: float = 0.4) -> tuple[Tensor, Tensor]:
    """Return pictures (N, 1, side, side) with a bar, lying or standing, in the first or the second half: 4 kinds."""
    y = torch.randint(4, (n,))
    place = torch.randint(side // 2, (n,)) + side // 2 * (y % 2)
    line = torch.nn.functional.one_hot(place, side).float()
    x = torch.where((y < 2)[:, None, None], line[:, :, None], line[:, None, :]).expand(n, side, side)
    return (x + noise * torch.randn(n, side, side))[:, None], y


def blobs(n: int = 512, side: int = 8) -> tuple[Tensor, Tensor]:
    """Return pictures (N, 1, side, side) and where they are bright, (N, side, side) of 0 and 1, a fifth of them 1."""
    field = torch.nn.functional.avg_pool2d(torch.randn(n, 1, side + 2, side + 2), 3, stride=1)
    return field * 3 + 0.3 * torch.randn_like(field), (field[:, 0] > 0.28).long()
