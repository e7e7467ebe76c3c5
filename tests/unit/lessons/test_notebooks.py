"""The notebooks in the repository are what their sources give."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[3]


def script():
    spec = importlib.util.spec_from_file_location("make_notebooks", ROOT / "scripts" / "make_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_differs():
    assert script().differences() == []


def test_a_difference_is_told(tmp_path, monkeypatch, capsys):
    made = script()
    monkeypatch.setattr(made, "ROOT", tmp_path)
    monkeypatch.setattr(made, "NOTEBOOKS", tmp_path / "notebooks")
    assert made.main([]) == 0
    assert made.main(["--check"]) == 0
    first, *_ = sorted((tmp_path / "notebooks").iterdir())
    first.write_bytes(first.read_bytes().replace(b"Exercise", b"exercise", 1))
    (tmp_path / "notebooks" / "old.ipynb").write_text("{}")
    capsys.readouterr()
    assert made.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"notebooks/{first.name} does not match its source", "notebooks/old.ipynb has no source",
    ]  # fmt: skip
