"""Our filters beside PyTorch's own softmax, topk and sort."""

import numpy as np
import pytest
import torch

from backlight.sample import probabilities

SETTINGS = [
    {},
    {"temperature": 0.3},
    {"temperature": 2.5},
    {"top_k": 1},
    {"top_k": 7},
    {"top_k": 100},
    {"top_p": 0.05},
    {"top_p": 0.9},
    {"temperature": 0.7, "top_k": 9, "top_p": 0.8},
]


def by_torch(logits: torch.Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None):
    z = logits / temperature
    if top_k is not None:
        values, ids = z.topk(min(top_k, z.shape[-1]))
        z = torch.full_like(z, -torch.inf).scatter(-1, ids, values)
    p = z.softmax(-1)
    if top_p is not None:
        ranked, ids = p.sort(dim=-1, descending=True, stable=True)
        ranked[ranked.cumsum(-1).roll(1, -1).index_fill(-1, torch.tensor([0]), 0) >= top_p] = 0
        p = torch.zeros_like(p).scatter(-1, ids, ranked)
        p /= p.sum(-1, keepdim=True)
    return p


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_probabilities_match_torch(settings, rng):
    logits = rng.normal(scale=3.0, size=(200, 27))
    logits[::3, ::4] = -np.inf
    theirs = by_torch(torch.from_numpy(logits), **settings).detach().numpy()
    np.testing.assert_allclose(probabilities(logits, **settings), theirs, rtol=1e-10, atol=1e-12)
