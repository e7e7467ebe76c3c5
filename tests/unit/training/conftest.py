"""A text, a network and a training that take milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backlight.training import Run, RunConfig, TrainConfig

NAMES = [
    "emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "liam", "noah",
    "oliver", "james", "elijah", "william", "henry", "lucas", "benjamin", "theodore", "mateo", "levi", "sebastian",
]  # fmt: skip

TRAINING = {"steps": 30, "batch_size": 8, "lr": 0.01, "warmup": 5, "eval_interval": 7}


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


@pytest.fixture
def make(names: Path, tmp_path: Path) -> Callable[..., Run]:
    """Return a new run: `make("its name", training settings)`; `config` changes the rest of its configuration."""

    def made(name: str, *, config: dict[str, Any] | None = None, **changes: Any) -> Run:
        whole: dict[str, Any] = {
            "corpus": str(names),
            "model": "mlp",
            "settings": {"context": 3, "embedding": 2, "hidden": [5]},
            "train": TrainConfig(**{**TRAINING, **changes}),
            "seed": 3,
            **(config or {}),
        }
        return Run.create(RunConfig(**whole), tmp_path / name)

    return made
