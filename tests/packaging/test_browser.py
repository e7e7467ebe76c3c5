"""The lessons need nothing in a browser that Pyodide lacks: no other package is imported, and pip brings the rest."""

import json
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
IN_PYODIDE = {
    canonicalize_name(line)
    for line in (HERE / "pyodide_packages.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
}


@pytest.fixture(scope="module")
def loaded():
    """The top-level modules that the lessons load, with those of the command line missing."""
    done = subprocess.run([sys.executable, HERE / "imports.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lessons_import_only_what_pyodide_has(loaded):
    owners = packages_distributions()
    others = {
        canonicalize_name(owner)
        for name in loaded["loaded"]
        if name not in sys.stdlib_module_names
        for owner in owners.get(name, [])
    } - {"backlight"}
    assert {"numpy", "matplotlib"} <= others
    assert others - IN_PYODIDE == set()


def pure(name):
    wheel = distribution(name).read_text("WHEEL") or ""
    return "Root-Is-Purelib: true" in wheel and all(
        line.endswith("-none-any") for line in wheel.splitlines() if line.startswith("Tag:")
    )


def required(name, seen):
    """Return what an installation of a package in a browser brings, the package itself too."""
    name = canonicalize_name(name)
    if name in seen:
        return seen
    seen.add(name)
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        here = {"extra": "", "sys_platform": "emscripten", "platform_system": "Emscripten", "os_name": "posix"}
        if requirement.marker is None or requirement.marker.evaluate(here):
            required(requirement.name, seen)
    return seen


def test_what_the_first_cell_installs_is_in_pyodide_or_pure():
    needed = required("backlight", set()) - {"backlight"}
    assert {"numpy", "typer", "pooch"} <= needed
    assert [name for name in sorted(needed) if name not in IN_PYODIDE and not pure(name)] == []


def test_a_compiled_package_is_not_pure():
    assert not pure("numpy")
    assert pure("packaging")
