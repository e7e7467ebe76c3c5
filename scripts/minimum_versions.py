"""Print the minimum versions in pyproject.toml as a requirements file: those of the package and of some extras.

Usage: python scripts/minimum_versions.py [EXTRA ...]
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def requirements(extras: list[str]) -> Iterator[str]:
    """Yield the dependencies of the package and of some of its extras, as written in pyproject.toml."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    yield from project["dependencies"]
    for extra in extras:
        for requirement in project["optional-dependencies"][extra]:
            if own := re.fullmatch(rf"{project['name']}\[(.+)\]", requirement):
                yield from (one for name in own[1].split(",") for one in project["optional-dependencies"][name])
            else:
                yield requirement


def exact(requirement: str) -> str:
    """Return `name==version` for `name>=version`.

    Raises:
        ValueError: the requirement has another form.
    """
    bound = re.fullmatch(r"([\w.-]+)(?:>=|==)([\d.]+)", requirement)
    if not bound:
        raise ValueError(
            f"a dependency must be `name>=version` or `name==version`; pyproject.toml has {requirement!r}."
        )
    return f"{bound[1]}=={bound[2]}"


if __name__ == "__main__":
    print(*map(exact, requirements(sys.argv[1:])), sep="\n")
