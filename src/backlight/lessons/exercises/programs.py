"""A program in single steps as a syntax tree that can be changed, run with a limit, and described in words."""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from backlight.lessons.exercises.changes import Change
from backlight.lessons.exercises.naming import Words, comments
from backlight.lessons.exercises.statements import changes
from backlight.lessons.exercises.steps import PROGRAMS

ROUNDS: Final = 3_000
"""A changed program that goes through its loops more often than this is given up."""


_HOLDERS: Final = frozenset({"steps", "weights"})
"""Arguments of the gradients by hand whose attributes are arrays."""


class TooLong(Exception):  # noqa: N818  (of a changed program: nobody sees it)
    """A program went through its loops too often."""


@dataclass(frozen=True)
class StepProgram:
    """A right answer in single steps.

    Attributes:
        tree: its syntax tree; changes are applied to it and taken back.
        function: the definition in the tree.
        words: the names of its variables in words.
        source: the function itself.
    """

    tree: ast.Module
    function: ast.FunctionDef
    words: Words
    source: Callable[..., Any]

    def compiled(self) -> Callable[..., Any]:
        """Return the tree as it is now as a function; it raises `TooLong` if its loops do not end."""
        names = {**self.source.__globals__, "_round": _counter(), "_end": _ended}
        exec(compile(self.tree, "steps", "exec"), names)  # noqa: S102  (a program of this package, changed)
        made: Callable[..., Any] = names[self.function.name]
        return made

    def changes(self, run: Callable[[Callable[..., Any]], Any], part: str) -> Iterator[Change]:
        """Yield changes of the lines that a part of the result depends on.

        Args:
            run: runs a function on a case; the shapes of the variables are those of this run.
            part: the name of the part.
        """
        return changes(self.function, self.words, self._alike(run), self.lines(part))

    def lines(self, part: str) -> frozenset[int]:
        """Return the numbers of the lines that a part depends on in one round of the loops; all if it has no variable.

        In a chain of gradients that are returned one by one, only the lines of the part itself are returned: it is the
        first that is wrong.
        """
        steps = [(self.words.target(one)[0], one) for one in _flat(self.function.body)]
        everything = frozenset(one.lineno for _, one in steps)
        variable = _variable(part, {target for target, _ in steps})
        if self.words.gradients:
            return frozenset(one.lineno for target, one in steps if target == variable) or everything
        if not variable:
            return everything
        needed, lines = {variable}, set[int]()
        for target, one in reversed(steps):
            if target in needed or target in {"if", "for", "return"}:
                lines.add(one.lineno)
                needed |= (
                    {node.id for node in ast.walk(one) if isinstance(node, ast.Name)} if target in needed else set()
                )
        return frozenset(lines)

    def _alike(self, run: Callable[[Callable[..., Any]], Any]) -> dict[str, list[ast.expr]]:
        """Return for each variable the others of the same shape, as expressions."""
        _LOCALS.clear()
        run(self.compiled())
        shapes: dict[str, Any] = {}
        for name, value in _LOCALS.items():
            if name in self.words.holders and hasattr(value, "_asdict"):
                shapes |= {f"{name}.{one}": _kind(array) for one, array in value._asdict().items()}
            elif name == self.words.gradients:
                shapes |= {f"{name}[{one!r}]": _kind(array) for one, array in value.items()}
            else:
                shapes[name] = _kind(value)
        used = {ast.unparse(node) for node in ast.walk(self.function) if isinstance(node, ast.expr)}
        held = tuple(f"{holder}." for holder in self.words.holders)
        known = {
            text: ast.parse(text, mode="eval").body
            for text in shapes
            if text in used or (held and text.startswith(held))
        }
        return {
            text: [node for other, node in known.items() if other != text and shapes[other] == shapes[text] is not None]
            for text in known
        }


_LOCALS: dict[str, Any] = {}


def _flat(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in block:
        yield statement
        for inner in ("body", "orelse"):
            yield from _flat(getattr(statement, inner, []))


def _variable(part: str, targets: set[str]) -> str:
    """Return the variable of a part: "C" of "C after one step", "losses" of "the first loss"; or an empty string."""
    first = part.partition(" after ")[0]
    if first in targets:
        return first
    return "losses" if "loss" in part and "losses" in targets else ""


def _ended(variables: dict[str, Any]) -> None:
    _LOCALS.update(variables)


def _kind(value: Any) -> object:
    """Return what makes two variables alike: the shape of arrays, the type of others; None if nothing does."""
    if isinstance(value, np.ndarray):
        return ("array", value.shape)
    if isinstance(value, bool | int | float | str):
        return type(value).__name__
    if isinstance(value, list) and value and isinstance(value[0], int | float | str):
        return "list"
    return ("Value",) if hasattr(value, "data") else None


def _counter() -> Callable[[], None]:
    rounds = 0

    def count() -> None:
        nonlocal rounds
        rounds += 1
        if rounds > ROUNDS:
            raise TooLong

    return count


@cache
def programs_of(answer: str, parts: tuple[str, ...]) -> tuple[StepProgram, ...]:
    """Return the programs of an answer, the usual one first; an empty tuple if it has none.

    Args:
        answer: the name of the function.
        parts: words for the elements of a returned tuple.
    """
    return tuple(_program(program, answer, parts) for program in PROGRAMS.get(answer, ()))


def _program(program: Callable[..., Any], answer: str, parts: tuple[str, ...]) -> StepProgram:
    source = inspect.getsource(program)
    tree = ast.parse(source)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    said, names = comments(source), dict[str, str]()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Tuple) and node.lineno in said:
            names.setdefault(ast.unparse(node.targets[0]), said[node.lineno])
    for argument in function.args.args:
        argument.annotation = None
    function.returns = None
    gradients = "d" if answer == "all_gradients" else ""
    words = Words(names, gradients, _HOLDERS if gradients or answer == "gpt_gradients" else frozenset(), parts)
    for node in list(ast.walk(function)):
        if isinstance(node, ast.While | ast.For):
            node.body.insert(0, _call("_round()", node))
    function.body.insert(-1, _call("_end(locals())", function.body[-1]))
    return StepProgram(tree, function, words, program)


def _call(text: str, at: ast.stmt) -> ast.stmt:
    (statement,) = ast.parse(text).body
    for node in ast.walk(statement):
        ast.copy_location(node, at)
    return statement
