"""The lectures' code, as it is and with nothing but its import lines changed: the same numbers, the same names."""

import math
import re
import runpy
from pathlib import Path

import pytest

LECTURES = Path(__file__).parent / "lecture_code"
SCRIPTS = sorted(path.stem for path in LECTURES.glob("*.py"))
CHANGES = {
    r"^import torch$": "import backlight.torchlike as torch",
    r"^import torch\.": "import backlight.torchlike.",
    r"^from torch": "from backlight.torchlike",
}


def swapped(source: str) -> str:
    for theirs, ours in CHANGES.items():
        source = re.sub(theirs, ours, source, flags=re.MULTILINE)
    return source


def assert_same(ours: object, theirs: object, where: str) -> None:
    """Words, whole numbers and booleans are equal; floats as close as float32 and another order of sums allow."""
    assert type(ours) is type(theirs), where
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for key, value in theirs.items():
            assert_same(ours[key], value, f"{where}[{key!r}]")
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), where
        for at, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(mine, other, f"{where}[{at}]")
    elif isinstance(theirs, float):
        assert math.isclose(ours, theirs, rel_tol=2e-4, abs_tol=2e-6), f"{where}: ours {ours}, PyTorch's {theirs}"
    else:
        assert ours == theirs, where


def test_there_is_a_script_for_each_part_of_the_lectures():
    assert SCRIPTS == [
        "attention", "backprop_ninja", "bigram_counts", "bigram_neuron", "gpt", "mlp", "mlp_batchnorm_by_hand",
        "wavenet", "word_models",
    ]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_only_the_import_lines_change(script, tmp_path, monkeypatch):
    source = (LECTURES / f"{script}.py").read_text()
    changed = swapped(source)
    lines = [a for a, b in zip(source.splitlines(), changed.splitlines(), strict=True) if a != b]
    assert lines
    assert all(line.startswith(("import torch", "from torch")) for line in lines)
    (tmp_path / "theirs.py").write_text(source)
    (tmp_path / "ours.py").write_text(changed)
    (tmp_path / "names.txt").write_text((LECTURES / "names.txt").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)  # a GPU draws other numbers

    theirs = runpy.run_path("theirs.py")
    ours = runpy.run_path("ours.py")

    assert theirs["torch"].__name__ == "torch"
    assert ours["torch"].__name__ == "backlight.torchlike"
    assert_same(ours["results"], theirs["results"], script)
