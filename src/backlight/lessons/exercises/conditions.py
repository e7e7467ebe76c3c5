"""For which inputs an answer is wrong, said by a condition of the right one: "where step < warmup"."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from backlight.lessons.exercises.exercise import Inputs
from backlight.lessons.exercises.programs import StepProgram


def condition_of(program: StepProgram, cases: Sequence[Inputs], wrong: Sequence[bool]) -> str:
    """Return the condition that holds for the inputs for which an answer is wrong, and for no others; or "".

    Args:
        program: the right answer; its conditions on its arguments alone are tried, and that none of them holds.
        cases: the inputs.
        wrong: whether the answer is wrong, for each.
    """
    if all(wrong) or not any(wrong):
        return ""
    arguments = {one.arg for one in program.function.args.args}
    asked = [node.test for node in ast.walk(program.function) if isinstance(node, ast.If)]
    asked = [test for test in asked if _names(test) and _names(test) <= arguments]
    holds = {ast.unparse(test): [_holds(test, case) for case in cases] for test in asked}
    for text, there in holds.items():
        if there == list(wrong):
            return f"{text} is true" if text.isidentifier() else text
        if [not one for one in there] == list(wrong):
            return f"{text} is false" if text.isidentifier() else f"not ({text})"
    if len(holds) > 1 and [not any(one) for one in zip(*holds.values(), strict=True)] == list(wrong):
        return f"neither {' nor '.join(holds)}"
    return ""


def _names(node: ast.expr) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _holds(test: ast.expr, case: Mapping[str, Any]) -> bool:
    return bool(eval(ast.unparse(test), {}, dict(case)))  # noqa: S307  (a condition of this package's own program)
