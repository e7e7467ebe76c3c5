"""No home folder, or one that cannot be written, and no compiler: it works, or says so in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backlight.autograd.native import building


@pytest.mark.parametrize("home", [None, os.devnull], ids=["no home", "home is no folder"])
def test_no_home(shell, tiny, home):
    environment = {name: value for name, value in shell.environment().items() if not name.startswith("XDG_")}
    environment |= {"HOME": home} if home else {}
    if home is None:
        del environment["HOME"]

    def works(*words: str) -> str:
        command = [sys.executable, "-m", "backlight", *words]
        done = subprocess.run(command, cwd=shell.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    works("train", "names.txt", *tiny("--name", "first"))
    assert len(works("sample", "first", "--count", "3").splitlines()) >= 3
    works("figures", "first", "loss")
    assert list((shell.folder / "runs" / "first" / "figures").iterdir())


def test_no_compiler(tmp_path):
    target = building.LIBRARY
    before = target.read_bytes() if target.exists() else None
    done = subprocess.run(
        [sys.executable, building.__file__],
        env={**os.environ, "CC": str(tmp_path / "cc")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("the kernels were not built in C; Backlight will use NumPy: ")
    assert (target.read_bytes() if target.exists() else None) == before


def test_windows_gets_no_kernels(monkeypatch):
    monkeypatch.setattr(building.sys, "platform", "win32")
    with pytest.raises(OSError, match="cannot be built on Windows"):
        building.build(Path("never"))
