"""Changes of several lines at once: whoever mistakes an axis or a function mistakes it in each line."""

import ast
from collections.abc import Container, Iterator

from backlight.lessons.exercises.changes import SEEN, USUAL, Change
from backlight.lessons.exercises.naming import Words


def of_axes(function: ast.FunctionDef, words: Words, lines: Container[int]) -> Iterator[Change]:
    """Yield the change of the axis in all reductions at once: whoever mistakes one axis mistakes it in each line."""
    places: dict[int, list[tuple[ast.stmt, ast.Call]]] = {}
    for statement in ast.walk(function):
        if not isinstance(statement, ast.Assign) or statement.lineno not in lines:
            continue
        for node in ast.walk(statement.value):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="sum" | "mean" | "max" | "var"), args=[ast.Constant(value=int(axis))]
                ):
                    places.setdefault(axis, []).append((statement, node))
    for axis, found in places.items():
        if len(found) > 1 and axis in {0, 1}:
            first, _ = found[-1]
            target, quantity = words.target(first)
            what = f"and wherever there is an axis, it is axis {1 - axis}, not {axis}"
            sets = tuple((call.args[0], "value", None, 1 - axis) for _, call in found)
            yield Change(quantity, what, USUAL, first.lineno, target, sets)
            what = f"and wherever there is an axis, everything is taken together, not each part along axis {axis}"
            whole = tuple((call, "args", None, list[ast.expr]()) for _, call in found)
            yield Change(quantity, what, SEEN, first.lineno, target, whole)


def of_functions(function: ast.FunctionDef, words: Words, lines: Container[int]) -> Iterator[Change]:
    """Yield the change in which the sine and the cosine are swapped wherever they occur."""
    found = [
        (statement, node)
        for statement in ast.walk(function) if isinstance(statement, ast.Assign) and statement.lineno in lines
        for node in ast.walk(statement.value) if isinstance(node, ast.Attribute) and node.attr in {"cos", "sin"}
    ]  # fmt: skip
    if len(found) > 1:
        first, _ = found[0]
        target, quantity = words.target(first)
        sets = tuple((node, "attr", None, "sin" if node.attr == "cos" else "cos") for _, node in found)
        yield Change(quantity, "as wherever they occur, cos and sin are swapped", USUAL, first.lineno, target, sets)
