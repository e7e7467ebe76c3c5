"""Run an answer on a case, and tell apart what gives no result: a stub, a missing return, a print in its place."""

import ast
import contextlib
import dis
import inspect
import io
import sys
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np

from backlight.lessons.exercises.exercise import Exercise, Inputs, call
from backlight.lessons.exercises.outcomes import InvalidAnswer, Unfinished


class _Noticed(io.TextIOBase):
    """Standard output, with a note whether something was printed."""

    def __init__(self) -> None:
        self.out = sys.stdout
        self.printed = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.out.encoding

    def write(self, text: str) -> int:
        self.printed = self.printed or bool(text.strip())
        return self.out.write(text)

    def flush(self) -> None:
        self.out.flush()

    def isatty(self) -> bool:
        return self.out.isatty()


def outcome_of(exercise: Exercise, answer: Any, case: Inputs) -> Any:
    """Return what an answer gives for a case.

    Args:
        exercise: the exercise.
        answer: a function; or its result, if the exercise compares results.
        case: the inputs; the answer may change them.

    Raises:
        Unfinished: nothing is filled in.
        InvalidAnswer: the function returns None although it does something, or a result stands in place of a function.
        Exception: whatever the answer raises.
    """
    if answer is None or answer is ...:
        raise Unfinished
    if not callable(answer):
        if exercise.use is not call:
            raise InvalidAnswer(f"pass the function {exercise.answer} itself, not its result.")
        return answer
    if isinstance(answer, type):
        raise InvalidAnswer(f"pass a function; {answer.__name__} is a class.")
    if _is_the_notebooks(answer, exercise):
        raise Unfinished
    noticed = _Noticed()
    with np.errstate(all="ignore"), contextlib.redirect_stdout(noticed):  # an overflow shows in the result
        outcome = exercise.use(answer, case)
    if outcome is None and not is_stub(answer):
        raise InvalidAnswer(_without_result(exercise, noticed.printed), name="nothing is returned")
    return outcome


def _without_result(exercise: Exercise, printed: bool) -> str:
    if printed:
        return f"{exercise.answer} printed something and returned None. The check reads what is returned: use return."
    return f"{exercise.answer} ran to its end and returned None. Is the return missing, or without a value?"


def _is_the_notebooks(answer: Callable[..., Any], exercise: Exercise) -> bool:
    """Return whether a function is still the one of the lesson's notebook, which may return its argument."""
    code = getattr(answer, "__code__", None)
    if code is None or not exercise.id:
        return False
    module = compile(exercise.stub, "stub", "exec")
    stub = next(one for one in module.co_consts if isinstance(one, CodeType) and one.co_name == exercise.answer)
    return bool((code.co_code, code.co_consts, code.co_names) == (stub.co_code, stub.co_consts, stub.co_names))


def is_stub(answer: Callable[..., Any]) -> bool:
    """Return whether a function does nothing: its body has only a docstring, `pass`, `...` or `return None`."""
    try:
        (function,) = ast.parse(textwrap.dedent(inspect.getsource(answer))).body
    except (OSError, TypeError, SyntaxError, ValueError):  # no source, or a part of a line
        return _does_nothing(answer)
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return _does_nothing(answer)
    return all(_is_nothing(statement) for statement in function.body)


def _is_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.Return(value=None | ast.Constant(value=None)):
            return True
        case ast.Return(value=ast.Constant(value=value)):
            return value is ...
    return False


def _does_nothing(answer: Callable[..., Any]) -> bool:
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    does = {one.opname for one in dis.get_instructions(code)} - {"RESUME", "NOP", "POP_TOP", "COPY_FREE_VARS"}
    return all(name.startswith(("LOAD_CONST", "RETURN_")) for name in does)
