"""A text, a network and a recipe that take milliseconds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backlight.training import Plan, Recipe, Session, prepare

NAMES = [
    "emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "liam", "noah",
    "oliver", "james", "elijah", "william", "henry", "lucas", "benjamin", "theodore", "mateo", "levi", "sebastian",
]  # fmt: skip

RECIPE = Recipe(steps=30, batch_size=8, lr=0.01, warmup=5, evaluate_every=7)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


@pytest.fixture
def make(names: Path, tmp_path: Path) -> Callable[..., Session]:
    """Return a new session: `make("name of the run", settings of the recipe)`; `plan` changes the plan."""

    def made(name: str, *, plan: dict[str, Any] | None = None, **changes: Any) -> Session:
        whole: dict[str, Any] = {
            "corpus": str(names),
            "model": "mlp",
            "settings": {"context": 3, "embedding": 2, "hidden": [5]},
            "recipe": replace(RECIPE, **changes),
            "seed": 3,
            **(plan or {}),
        }
        return prepare(Plan(**whole), tmp_path / name)

    return made
