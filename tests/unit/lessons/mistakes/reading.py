"""Wrong answers, as edits of right ones or as whole functions: read from a file, planted, and judged.

`python -m tests.unit.lessons.mistakes.reading FILE...` prints the verdict on each of a file, and how many were named.
"""

# ruff: noqa: T201

import inspect
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.lessons.mistakes import answers

from backlight.lessons.exercises import EXERCISES, Verdict, grade

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Wrong:
    """A wrong answer.

    Attributes:
        id: the exercise.
        name: what is wrong with it.
        edits: replacements in the right answer's source; an old text with a * at its end occurs several times.
        expected: a pattern that is in the words of a verdict that names the mistake, or its place.
        code: the whole function; then there are no edits.
    """

    id: str
    name: str
    edits: tuple[tuple[str, str], ...]
    expected: str
    code: str = ""

    def function(self) -> Any:
        """Return the answer as a function."""
        source = self.code or inspect.getsource(getattr(answers, EXERCISES[self.id].answer))
        for old, new in self.edits:
            every = old.endswith("*")
            old = old.removesuffix("*")  # noqa: PLW2901
            assert source.count(old) == 1 or (every and source.count(old) > 1), f"{self.id} {self.name}: {old!r}"
            source = source.replace(old, new)
        names = dict(vars(answers))
        exec(compile(source, "answers.py", "exec"), names)  # noqa: S102
        return names[EXERCISES[self.id].answer]

    def verdict(self) -> Verdict:
        """Return what the check says."""
        return grade(EXERCISES[self.id], self.function())

    def outcome(self, verdict: Verdict) -> str:
        """Return "named" rightly, "wrongly" named, "not named", or "passes"."""
        if verdict.right:
            seen = " ".join(verdict.lines)
            return "named" if "cannot" in self.expected and re.search("cannot be seen", seen) else "passes"
        if verdict.mistake is None:
            return "not named"
        said = " ".join(line for line in verdict.lines if line.startswith(("Likely mistake", "Also")))
        return "named" if re.search(self.expected, said, re.IGNORECASE) else "wrongly"


def load(name: str) -> list[Wrong]:
    """Return the wrong answers of a file of this folder."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return _whole(text) if "\n### " in text else _edits(text)


def _whole(text: str) -> list[Wrong]:
    found = []
    for block in text.split("\n### ")[1:]:
        head, _, code = block.partition("\n")
        id_, what, expected = head.split(" | ")
        found.append(Wrong(id_, what, (), expected, code))
    return found


def _edits(text: str) -> list[Wrong]:
    found, id_ = [], ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if not line.startswith(" "):
            id_ = line.strip()
            continue
        what, change, expected = line.strip("\n").split(" | ")
        edits = tuple(_edit(one) for one in change.split(" ;; "))
        found.append(Wrong(id_, what.strip(), edits, expected))
    return found


def _edit(text: str) -> tuple[str, str]:
    old, new = text.split(" → ")
    return old.replace("\\n", "\n"), new.replace("\\n", "\n").replace(";h =", "\n        h =")


if __name__ == "__main__":
    import sys

    for file in sys.argv[1:]:
        counts: Counter[str] = Counter()
        for wrong in load(file):
            verdict = wrong.verdict()
            outcome = wrong.outcome(verdict)
            counts[outcome] += 1
            print(f"{outcome:10} {wrong.id} {wrong.name}: {' / '.join(verdict.lines[:-2])}")
        print(file, dict(counts), sum(counts.values()))
