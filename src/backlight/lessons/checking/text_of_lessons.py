"""What a lesson itself defines under the name of an answer, as lesson 4 does with the cross-entropy of exercise 2.5."""

import ast
from functools import cache

from backlight.lessons.catalogue import LESSONS
from backlight.lessons.exercises import EXERCISES


def is_of_lesson(node: ast.stmt) -> bool:
    """Return whether a statement stands in a lesson outside its exercises, so that it is not a learner's answer."""
    return isinstance(node, ast.FunctionDef) and ast.dump(node) in _shown_answers()


@cache
def _shown_answers() -> frozenset[str]:
    names = {exercise.answer for exercise in EXERCISES.values()}
    cells = [cell for lesson in LESSONS.values() for cell in lesson.cells(student=True) if cell.kind == "code"]
    shown = [cell.source for cell in cells if not cell.solved and any(f"def {name}(" in cell.source for name in names)]
    return frozenset(
        ast.dump(node) for source in shown for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name in names
    )  # fmt: skip
