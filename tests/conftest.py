"""Fixtures that every folder of tests may use."""

import os
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


def shared_file(name: str) -> Path:
    """Return a data file that is used in place and never committed; skip the test where it is absent."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"needs ../shared/data/{name}, which is not part of the project")
    return path


@pytest.fixture
def makemore_names() -> Path:
    return shared_file("makemore_names.txt")


@pytest.fixture
def tinyshakespeare() -> Path:
    return shared_file("tinyshakespeare.txt")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture(autouse=True)
def _no_corpus_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own BACKLIGHT_DATA out of the tests."""
    if "BACKLIGHT_DATA" in os.environ:
        monkeypatch.delenv("BACKLIGHT_DATA")
