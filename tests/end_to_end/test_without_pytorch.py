"""Without PyTorch, everything but its engine works; with it, nothing else imports it."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import importlib.machinery, sys
usual = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, path=None, target=None: None if name == "torch" else usual(name, path, target)
)
"""


def python(folder: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text("\n".join(f"{a}{b}{c}" for a in "bdf" for b in "aei" for c in "lmn"))
    return tmp_path


def test_our_own_engine_does_not_import_it(folder: Path) -> None:
    code = (
        "import sys, backlight, backlight.cli.train\n"
        "model = backlight.train('names.txt', steps=3, batch_size=4, hidden=(4,), progress=None)\n"
        "assert model.result['steps'] == 3\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert python(folder, code).returncode == 0


@pytest.mark.parametrize("words", [("--engine", "torch"), ("--engine", "torch", "--devices", "2")])
def test_without_it_the_engine_is_refused_in_one_line(folder: Path, words: tuple[str, ...]) -> None:
    code = WITHOUT + "from backlight.cli import main\nmain()"
    done = python(folder, code, "train", "names.txt", *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs PyTorch, which is not installed. Run: pip install 'backlight[torch]'" in done.stderr
    assert not (folder / "runs").exists()
