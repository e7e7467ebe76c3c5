"""Two networks trained side by side, ours and PyTorch's: 200 steps on the same batches."""

from collections.abc import Callable

import numpy as np
import torch

from backlight.core import Batch
from backlight.models.neural import NeuralModel
from backlight.optim import AdamW, clip_grad_norm
from backlight.pytorch import loss_of, to_torch

STEPS = 200


def train_both(
    model: NeuralModel, batch: Callable[[], Batch], *, lr: float = 1e-2, max_norm: float | None = None
) -> tuple[list[float], list[float], torch.nn.Module]:
    """Return our losses, PyTorch's, and PyTorch's network, which starts from the same weights."""
    theirs = to_torch(model)
    settings = {"lr": lr, "betas": (0.9, 0.99), "weight_decay": 0.1}
    optimisers = AdamW(model.parameters(), **settings), torch.optim.AdamW(theirs.parameters(), **settings)
    losses, their_losses = [], []
    for _ in range(STEPS):
        one = batch()
        both = model.loss(one), loss_of(theirs, one)
        losses.append(both[0].item())
        their_losses.append(both[1].item())
        for loss, optimiser in zip(both, optimisers, strict=True):
            optimiser.zero_grad()
            loss.backward()
        if max_norm is not None:
            clip_grad_norm(model.parameters(), max_norm)
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
        for optimiser in optimisers:
            optimiser.step()
    return losses, their_losses, theirs


def next_characters(context: int, rng: np.random.Generator) -> Callable[[], Batch]:
    """Return a source of windows of 27 characters, of which three may follow each: something to learn."""
    law = rng.integers(0, 27, (27, 3))

    def batch() -> Batch:
        x = rng.integers(0, 27, (32, context))
        return Batch(x, law[x[:, -1], rng.integers(0, 3, 32)])

    return batch
