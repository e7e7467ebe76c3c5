"""The twins' loss, from the batches that our models take."""

from typing import Any

import torch

from backlight.core import NOT_A_TARGET, Batch


def loss_of(twin: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the mean cross-entropy of a batch in nats per target, on the twin's device, for `backward()`.

    Args:
        twin: maps int64 ids (B, T) to logits (B, V) or (B, T, V).
        batch: ids and targets of ours; a target of -1 does not count.

    Source: `torch.nn.functional.cross_entropy`.
    """
    device = next(twin.parameters()).device

    def ids(array: Any) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.int64, device=device)

    logits = twin(ids(batch.x))
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), ids(batch.y).reshape(-1), ignore_index=NOT_A_TARGET
    )
