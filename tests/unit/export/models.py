"""Small trained models to export."""

from typing import Any

import backlight

NAMES = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "ella"] * 4
ACCENTS = ["zoë", "josé", "ömer", "naïve été", "東京 大阪", "a b c", "emma.", "😀 x"] * 5

SIZES: dict[str, dict[str, Any]] = {
    "bigram": {},
    "mlp": {"hidden": (12,), "embedding": 5, "direct": True, "batch_norm": True},
    "wavenet": {"hidden": 10, "embedding": 5, "context": 8},
    "rnn": {"hidden": (9, 7), "embedding": 5},
    "gru": {"hidden": (9, 7), "embedding": 5},
    "lstm": {"hidden": (9, 7), "embedding": 5},
    "gpt": {"n_embd": 16, "n_layer": 2, "n_head": 2},
}


def trained(model: str = "gpt", items: Any = NAMES, **options: Any) -> backlight.Model:
    """Return a small model after a few steps."""
    return backlight.train(items, model=model, progress=None, **{"steps": 5, **SIZES[model], **options})
