"""What a release is built from: one version, and a configuration for machines that are not here."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_is_the_newest_heading_of_the_changelog():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search("(?m)^## (.*)$", text)
    version = re.search(f"(?m){PYPROJECT['tool']['hatch']['version']['pattern']}", text)
    assert first is not None
    assert version is not None
    assert first[0] == version[0]
    assert first[1] == version["version"]


def test_the_source_distribution_has_what_its_own_build_needs():
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all((ROOT / name).exists() for name in included)
    assert {"src", "hatch_build.py", "CHANGELOG.md", "README.md", "LICENSE"} <= set(included)
