r"""Read the planted bugs from `tests/planted_bugs/*.txt`: one file for each group of bugs, one line for each bug.

    # What the group is about
    tests: tests/unit/optim tests/oracle/test_optim.py

    optim/adamw.py
      the name of the bug | text that occurs in the file once → text that replaces it

`tests` are the tests that should catch the bugs of the group. Paths of files are relative to `src/backlight`. In a
text, `\n` is a line break and `\\` a backslash; a missing text after the arrow is empty.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "tests" / "planted_bugs"


@dataclass(frozen=True, kw_only=True)
class Bug:
    """A change in one place that makes the code wrong."""

    name: str
    file: str
    old: str
    new: str
    group: str
    tests: tuple[str, ...]

    def plant(self, source: str) -> str:
        """Return the source with the bug in it.

        Raises:
            ValueError: the bug is stale: its text does not occur exactly once, or the result is not valid Python.
        """
        places = source.count(self.old)
        if places != 1:
            raise ValueError(
                f"{self.name!r} is stale: its text must occur in {self.file} once; it occurs {places} times."
            )
        planted = source.replace(self.old, self.new)
        if not self.is_kernel:
            try:
                compile(planted, self.file, "exec")
            except SyntaxError as error:
                raise ValueError(f"{self.name!r} must leave {self.file} valid; it causes a syntax error.") from error
        return planted

    @property
    def is_kernel(self) -> bool:
        """Whether it is in the compiled kernels, which must then be rebuilt."""
        return self.file.endswith((".c", ".h"))


def load_bugs() -> list[Bug]:
    """Return the bugs of all groups."""
    return [bug for path in sorted(FOLDER.glob("*.txt")) for bug in _bugs_of(path)]


def _bugs_of(path: Path) -> Iterator[Bug]:
    group, tests, file = "", (), ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("# "):
            group = line.removeprefix("# ")
        elif line.startswith("tests: "):
            tests = tuple(line.split()[1:])
        elif line and not line.startswith(" "):
            file = line
        elif line:
            name, bar, change = line.strip().partition(" | ")
            old, arrow, new = change.partition(" →")
            if not (bar and arrow and group and tests and file):
                raise ValueError(f"{path.name}, line {number} must be `  name | old → new` below a file; got {line!r}.")
            yield Bug(name=name, file=file, old=_text(old), new=_text(new), group=group, tests=tests)


def _text(field: str) -> str:
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], field.strip(" "))
