"""What can be run of the lessons in Pyodide without NumPy, whose wheel for it no package index has."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.packaging.test_browser import IN_PYODIDE, loaded

__all__ = ["loaded"]  # the fixture

ROOT = Path(__file__).parents[2]
PACKAGE = Path(os.environ.get("BACKLIGHT_PYODIDE", "."))


def in_pyodide(program: str, tmp_path: Path) -> dict:
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        ["node", Path(__file__).with_name("run.mjs"), PACKAGE, ROOT / "src", path],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_list_of_packages_is_pyodides():
    locked = json.loads((PACKAGE / "pyodide-lock.json").read_text(encoding="utf-8"))["packages"]
    assert {name for name in IN_PYODIDE if name not in locked} == set()


def standard_imports(path: Path) -> set[str]:
    """Return the modules of the standard library that a file imports when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {one.name for node in named if isinstance(node, ast.Import) for one in node.names}
    names |= {node.module or "" for node in named if isinstance(node, ast.ImportFrom) and not node.level}
    return {name for name in names if name.split(".")[0] in sys.stdlib_module_names}


def test_every_module_compiles_and_the_standard_library_has_what_they_import(loaded, tmp_path):
    files = [Path(path) for path in loaded["ours"].values() if path and path.endswith(".py")]
    inside = [f"/src/{path.relative_to(ROOT / 'src').as_posix()}" for path in files]
    wanted = sorted(set().union(*map(standard_imports, files)))
    assert {"ctypes", "math"} <= set(wanted)
    assert len(files) > 100
    found = in_pyodide(
        f"""
import importlib, json
problems = []
for path in {inside!r}:
    try:
        compile(open(path, encoding="utf-8").read(), path, "exec")
    except SyntaxError as error:
        problems.append(str(error))
for name in {wanted!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        problems.append(f"{{name}}: {{error}}")
json.dumps({{"problems": problems}})
""",
        tmp_path,
    )
    assert found == {"problems": []}


@pytest.mark.parametrize("module", ["typer", "pooch", "threadpoolctl"])
def test_what_is_missing_is_missing_there(module, tmp_path):
    found = in_pyodide(
        f"import importlib.util, json; json.dumps({{'there': bool(importlib.util.find_spec({module!r}))}})", tmp_path
    )
    assert found == {"there": False}
