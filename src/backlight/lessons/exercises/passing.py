"""Changes of what a statement hands on: a step that is skipped, a function too many, another result, another order."""

import ast
import itertools
from collections.abc import Iterator

from backlight.lessons.exercises.changes import ODD, RARE, SEEN, Rank, expressions, placed
from backlight.lessons.exercises.naming import Words, is_

Place = tuple[object, str, int | None, object]
_COUNT = ("first", "second", "third", "fourth")
_LIKE_NUMPY = {"tanh", "exp", "log", "sqrt"}


def of_passing(
    function: ast.FunctionDef, statement: ast.stmt, words: Words, alike: dict[str, list[ast.expr]]
) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield changes of a statement: the words, the rank, and the places in the tree.

    Args:
        function: the whole program.
        statement: the statement.
        words: the names of the variables in words.
        alike: for the text of a variable, those of the same shape or type.
    """
    match statement:
        case ast.Assign(targets=[target], value=value):
            yield from _skipped(statement, target, value, words, alike)
            yield from _turned(statement, value)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Tuple | ast.Dict):
            yield from _earlier(function, statement, value, words)
            yield from _turned(statement, value)
        case ast.If(orelse=[ast.If()]):
            yield from _in_other_order(statement, words)
        case ast.AugAssign(target=ast.Subscript(slice=ast.Tuple(elts=indices) as index)):
            yield from _in_other_axes(index, indices)
    yield from _functions(function, statement, words)


def _skipped(
    statement: ast.Assign, target: ast.expr, value: ast.expr, words: Words, alike: dict[str, list[ast.expr]]
) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield the changes in which a variable is passed on as it is."""
    same = {ast.unparse(node) for node in alike.get(ast.unparse(target), [])}
    inside = dict.fromkeys(ast.unparse(node) for node in ast.walk(value) if isinstance(node, ast.Name | ast.Attribute))
    for text in inside:
        if text in same and text != ast.unparse(value):
            node = ast.parse(text, mode="eval").body
            what = f"{is_(words.of(node))} passed on as it is: this step is skipped"
            yield what, SEEN, ((statement, "value", None, placed(node, value)),)


def _turned(statement: ast.stmt, value: ast.expr) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield the change in which the result is transposed, or is not."""
    if isinstance(value, ast.Attribute) and value.attr == "T":
        return
    if isinstance(value, ast.Subscript | ast.Name | ast.BinOp):
        turned = ast.Attribute(value, "T", ast.Load())
        yield "it is transposed", SEEN, ((statement, "value", None, placed(turned, value)),)


def _earlier(
    function: ast.FunctionDef, statement: ast.Return, value: ast.expr, words: Words
) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield the changes in which a variable is returned before the last steps are done."""
    computed = (one.targets[0] for one in ast.walk(function) if isinstance(one, ast.Assign))
    for name in dict.fromkeys(target.id for target in computed if isinstance(target, ast.Name)):
        node = ast.Name(name, ast.Load())
        if name != ast.unparse(value):
            what = f"{is_(words.of(node))} returned: the steps after it are missing"
            yield what, SEEN, ((statement, "value", None, placed(node, value)),)


def _in_other_order(statement: ast.If, words: Words) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield the changes in which a later condition is asked before this one."""
    branches: list[ast.If] = []
    rest: list[ast.stmt] = [statement]
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        branches.append(rest[0])
        rest = rest[0].orelse
    first = branches[0]
    for later in branches[1:]:
        what = f"{is_(words.of(later.test))} asked before {words.of(first.test)}: the conditions are in another order"
        copied = placed(ast.If(first.test, first.body, first.orelse), first)
        sets: tuple[Place, ...] = (
            (first, "test", None, later.test),
            (first, "body", None, later.body),
            (first, "orelse", None, [copied]),
        )
        yield what, SEEN, sets


def _in_other_axes(index: ast.Tuple, indices: list[ast.expr]) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield the changes in which the indices of an element are in another order."""
    for order in itertools.permutations(range(len(indices))):
        if list(order) != sorted(order):
            what = f"the indices are in another order: {', '.join(_COUNT[i] for i in order)}"
            yield what, SEEN, ((index, "elts", None, [indices[i] for i in order]),)


def _functions(
    function: ast.FunctionDef, statement: ast.stmt, words: Words
) -> Iterator[tuple[str, Rank, tuple[Place, ...]]]:
    """Yield the changes in which a function of the program is applied once more, to another quantity."""
    used = {node.func.attr: node.func for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LIKE_NUMPY
            and ast.unparse(node.func.value) in {"np", "math"}}  # fmt: skip
    for slot in expressions(statement, words):
        called = isinstance(slot.parent, ast.Call) and isinstance(slot.parent.func, ast.Attribute)
        if not isinstance(slot.node, ast.BinOp | ast.Name) or called or isinstance(slot.parent, ast.Attribute):
            continue
        if isinstance(slot.node, ast.Name) and not isinstance(statement, ast.Return):
            continue
        rank = RARE if isinstance(slot.parent, ast.stmt) else ODD
        for name, func in used.items():
            new = placed(ast.Call(func, [slot.node], []), slot.node)
            yield f"{name} is taken of {words.of(slot.node)}, too", rank, ((slot.parent, slot.name, slot.index, new),)
            for alone, rest in _without_each(slot.node):
                new = placed(ast.BinOp(alone, ast.Add(), ast.Call(func, [rest], [])), slot.node)
                said = f"{name} is taken of everything but {words.of(alone)}"
                yield said, RARE, ((slot.parent, slot.name, slot.index, new),)


def _without_each(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield each term of a sum of three or more, and the sum of the others."""
    terms = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        terms.append(node.right)
        node = node.left
    terms.append(node)
    for alone in terms if len(terms) > 2 else []:
        first, *others = (one for one in terms[::-1] if one is not alone)
        rest = first
        for one in others:
            rest = ast.BinOp(rest, ast.Add(), one)
        yield alone, rest
