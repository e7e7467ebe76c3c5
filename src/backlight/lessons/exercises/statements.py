"""Changes of whole statements: a step left out or done twice, = for +=, a loop the other way round, an order."""

import ast
import itertools
from collections.abc import Callable, Container, Iterator
from typing import TypeGuard

from backlight.lessons.exercises.calls import of_call
from backlight.lessons.exercises.changes import (
    ODD,
    SEEN,
    USUAL,
    Change,
    Rank,
    Slot,
    expressions,
    of_names,
    of_terms,
    placed,
)
from backlight.lessons.exercises.everywhere import of_axes, of_functions
from backlight.lessons.exercises.layouts import of_layout
from backlight.lessons.exercises.moving import without_or_twice
from backlight.lessons.exercises.naming import Words, is_
from backlight.lessons.exercises.operations import of_expression
from backlight.lessons.exercises.passing import of_passing
from backlight.lessons.exercises.ranges import of_range

Alike = dict[str, list[ast.expr]]
_Make = Callable[..., Change]


def changes(function: ast.FunctionDef, words: Words, alike: Alike, lines: Container[int]) -> Iterator[Change]:
    """Yield the changes of a program.

    Args:
        function: its syntax tree.
        words: the names of its variables in words.
        alike: for each variable, the others of its shape.
        lines: the numbers of the lines to change.
    """
    yield from _of_block(function, function, function.body, words, alike, lines)
    yield from of_axes(function, words, lines)
    yield from of_functions(function, words, lines)


def _of_block(
    function: ast.FunctionDef,
    owner: ast.AST,
    block: list[ast.stmt],
    words: Words,
    alike: Alike,
    lines: Container[int],
    name: str = "body",
) -> Iterator[Change]:
    for place, statement in enumerate(block):
        if isinstance(statement, ast.For | ast.While | ast.If):
            for inner in ("body", "orelse"):
                yield from _of_block(function, statement, getattr(statement, inner), words, alike, lines, inner)
        if _is_ours(statement) or statement.lineno not in lines:
            continue
        yield from _of_statement(statement, words, alike)
        target, quantity = words.target(statement)
        for what, rank, sets in of_passing(function, statement, words, alike):
            yield Change(quantity, what, rank, statement.lineno, target, sets)
        for what, rank, new in without_or_twice(block, place):
            yield Change(quantity, what, rank, statement.lineno, target, ((owner, name, None, new),))


def _is_ours(statement: ast.stmt) -> bool:
    """Return whether a statement counts rounds or ends the run: it is no part of the answer."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name.startswith("_")
    return False


def _of_statement(statement: ast.stmt, words: Words, alike: Alike) -> Iterator[Change]:
    target, quantity = words.target(statement)

    def change(what: str, rank: Rank, *sets: tuple[object, str, int | None, object]) -> Change:
        return Change(quantity, what, rank, statement.lineno, target, sets)

    for slot in expressions(statement, words):
        of_expression(slot)
        of_call(slot)
        of_layout(slot)
        of_range(slot, alike)
        of_names(slot, alike)
        of_terms(slot, alike)
        for what, rank, sets in slot.found:
            if isinstance(statement, ast.Return) and words.parts and isinstance(slot.parent, ast.Tuple):
                yield Change("", f"{words.parts[slot.index or 0]}: {what}", rank, statement.lineno, target, sets)
            else:
                yield change(what, rank, *sets)
    for one, other in _pairs(statement, alike):
        yield change(f"{words.of(one[0].node)} and {words.of(other[0].node)} are swapped", SEEN, *_swapped(one, other))
    yield from _of_every_place(statement, words, alike, change)
    yield from _of_complements(statement, change)
    if _computes_one(statement):
        yield from _with_another(statement, words, alike, change)
    yield from _of_kind(statement, words, change)


def _of_kind(statement: ast.stmt, words: Words, change: _Make) -> Iterator[Change]:
    """Yield the changes that a statement's own kind allows: a sign, an order, a loop, a condition."""
    target, _ = words.target(statement)
    match statement:
        case ast.Assign(value=value) | ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Tuple):
            minus = placed(ast.UnaryOp(ast.USub(), value), value)
            yield change("the sign is wrong", USUAL, (statement, "value", None, minus))
        case ast.Return(value=ast.Tuple(elts=elements) as returned):
            named = words.parts or [words.of(one) for one in elements]
            for i, j in itertools.combinations(range(len(elements)), 2):
                said = f"{named[i]} and {named[j]} are returned in the wrong order: they are swapped"
                sets = ((returned, "elts", i, elements[j]), (returned, "elts", j, elements[i]))
                yield Change("", said, USUAL, statement.lineno, target, sets)
        case ast.AugAssign(op=ast.Add() | ast.Sub() as op):
            other, said = (
                (ast.Sub(), "subtracted, not added")
                if isinstance(op, ast.Add)
                else (ast.Add(), "added, not subtracted")
            )
            yield change(f"it is {said}: a wrong sign", USUAL, (statement, "op", None, other))
        case ast.For(iter=iterated, body=body):
            yield from _of_loop(statement, iterated, body, words)
        case ast.If(test=test):
            for asked in (True, False):
                always = placed(ast.Constant(asked), test)
                condition = words.of(test).removeprefix("the expression with ")
                what = f"{condition} is not asked: it is {'always' if asked else 'never'} so"
                yield change(what, SEEN, (statement, "test", None, always))


def _of_every_place(statement: ast.stmt, words: Words, alike: Alike, change: _Make) -> Iterator[Change]:
    """Yield the changes that put another variable of the same shape wherever a statement has one."""
    places: dict[str, list[Slot]] = {}
    for slot in expressions(statement, Words()):
        if isinstance(slot.node, ast.Name):
            places.setdefault(slot.node.id, []).append(slot)
    for name, slots in places.items():
        for other in alike.get(name, []) if len(slots) > 1 else []:
            sets = [(slot.parent, slot.name, slot.index, other) for slot in slots]
            yield change(f"{is_(words.of(other))} used in place of {words.of(slots[0].node)}", SEEN, *sets)


def _of_complements(statement: ast.stmt, change: _Make) -> Iterator[Change]:
    """Yield the change that swaps x and 1 - x in a statement."""
    slots = list(expressions(statement, Words()))
    for one in slots:
        match one.node:
            case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub(), right=ast.Name(id=name) as variable):
                sets: list[tuple[object, str, int | None, object]] = [(one.parent, one.name, one.index, variable)]
                sets += [
                    (slot.parent, slot.name, slot.index, one.node) for slot in slots
                    if isinstance(slot.node, ast.Name) and slot.node.id == name and slot.parent is not one.node
                ]  # fmt: skip
                if len(sets) > 1:
                    yield change(f"{name} and 1 - {name} are swapped: {name} is the wrong way round", USUAL, *sets)


def _computes_one(statement: ast.stmt) -> TypeGuard[ast.Assign | ast.Return]:
    if isinstance(statement, ast.Return):
        return not isinstance(statement.value, ast.Tuple | ast.Name)
    return isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name | ast.Subscript)


def _with_another(statement: ast.Assign | ast.Return, words: Words, alike: Alike, change: _Make) -> Iterator[Change]:
    """Yield the changes that put one more factor, divisor or term on what a statement computes, or leave it at 0."""
    value = statement.value
    target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    if value is None:
        return

    def put(new: ast.expr) -> tuple[ast.stmt, str, None, ast.expr]:
        return statement, "value", None, placed(new, value)

    yield change("it stays 0", SEEN, put(ast.BinOp(ast.Constant(0), ast.Mult(), value)))
    for text in alike:
        node = ast.parse(text, mode="eval").body
        if text == target or isinstance(node, ast.Constant):
            continue
        name = words.of(node)
        yield change(f"there is a factor {name} too many", ODD, put(ast.BinOp(value, ast.Mult(), node)))
        yield change(
            f"it is divided by {name}, which is one division too many", ODD, put(ast.BinOp(value, ast.Div(), node))
        )
        if not target or any(ast.unparse(other) == text for other in alike.get(target, [])):
            yield change(f"{name} is added to it, which should not be", ODD, put(ast.BinOp(value, ast.Add(), node)))
            yield change(
                f"{name} is subtracted from it, which should not be", ODD, put(ast.BinOp(value, ast.Sub(), node))
            )


def _of_loop(loop: ast.For, iterated: ast.expr, body: list[ast.stmt], words: Words) -> Iterator[Change]:
    target, quantity = words.target(loop)
    forward = isinstance(iterated, ast.Subscript) and isinstance(iterated.slice, ast.Slice) and iterated.slice.step
    of = words.of(iterated).removeprefix("the expression with ")

    def over(text: str) -> ast.expr:
        new = ast.parse(text.format(ast.unparse(iterated)), mode="eval").body
        for node in ast.walk(new):
            ast.copy_location(node, iterated)
        return new

    ways = [
        ("tuple({})[::-1]", f"{of} is gone through {'forward' if forward else 'in reverse'}: the wrong order", SEEN),
        ("tuple({})[:-1]", f"the last of {of} is left out", SEEN),
        ("tuple({})[1:]", f"the first of {of} is left out", SEEN),
        ("dict.fromkeys({})", f"what occurs twice in {of} counts once", SEEN),
    ]
    for text, what, rank in ways:
        yield Change(quantity, what, rank, loop.lineno, target, ((loop, "iter", None, over(text)),))
    once = [*body, placed(ast.Break(), loop)]
    what = "it ends after the first round: is the return inside the loop?"
    yield Change(quantity, what, SEEN, loop.lineno, target, ((loop, "body", None, once),))


def _pairs(statement: ast.stmt, alike: Alike) -> Iterator[tuple[list[Slot], list[Slot]]]:
    """Yield the places of each two variables of the same shape in one statement."""
    places: dict[str, list[Slot]] = {}
    for slot in expressions(statement, Words()):
        if isinstance(slot.node, ast.Name | ast.Attribute | ast.Subscript):
            places.setdefault(ast.unparse(slot.node), []).append(slot)
    for one, other in itertools.combinations(places, 2):
        if other in {ast.unparse(node) for node in alike.get(one, [])}:
            yield places[one], places[other]


def _swapped(one: list[Slot], other: list[Slot]) -> list[tuple[object, str, int | None, object]]:
    places = [(slot, other[0].node) for slot in one] + [(slot, one[0].node) for slot in other]
    return [(slot.parent, slot.name, slot.index, node) for slot, node in places]
