"""Fixtures that every folder of tests may use."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

# Before NumPy and PyTorch are loaded. pytest runs a process on each core: with two threads in each of two of them they
# wait for one another most of the time, and a training of a small network takes four times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from backlight.autograd.native import library
from backlight.autograd.native.building import build

settings.register_profile("backlight", deadline=None)  # nothing is timed here: a busy machine is no failure
settings.load_profile("backlight")

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


def pytest_configure(config: pytest.Config) -> None:
    """Build the kernels anew if their sources have changed, once, and if there is a compiler."""
    if not hasattr(config, "workerinput") and library() is None and os.environ.get("BACKLIGHT_NATIVE") != "0":
        with suppress(OSError, subprocess.CalledProcessError):
            build()
        library.cache_clear()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is there (CI says so with BACKLIGHT_NO_SKIPS=1), a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("BACKLIGHT_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line(
            "BACKLIGHT_NO_SKIPS is set, and tests were skipped: what they need must be installed.", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
