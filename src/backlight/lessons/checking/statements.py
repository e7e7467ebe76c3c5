"""The top-level statements of a file: what each one defines, uses and may change.

What a statement uses is split in two. It needs a name *now* if the statement itself reads it when it runs. It needs a
name *later* if only the body of a function that it defines reads it, when that function is called.
"""

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backlight.lessons.checking.sources import Piece

STAR = "*"
"""Stands for the names of `from module import *`."""

_SHOWS = {"print", "show", "check", "display", "help", "len", "repr", "type"}
"""Functions that are called for what they display, and change no argument."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class TopLevelStatement:
    """A top-level statement.

    Attributes:
        index: its place among all statements of the file.
        piece: the index of its piece.
        place: for messages, such as "line 3 of cell 5".
        node: its syntax tree.
        defines: the names that it assigns, imports or defines.
        now: the names that it reads when it runs.
        later: the names that functions in it read when they are called.
        changes: the names whose objects it changes, as in `losses.append(1)` or `table[0] = 1`.
        through: those of `changes` that, if they are modules, stay as they are, as in `np.add.at(table, ids, rows)`.
        touches: the names whose objects it might change, since it passes them to a call.
        imported: whether it only imports.
        may_skip: whether it may leave a name as it was, as `if` does.
    """

    index: int
    piece: int
    place: str
    node: ast.stmt
    defines: frozenset[str]
    now: frozenset[str]
    later: frozenset[str]
    changes: frozenset[str]
    through: frozenset[str]
    touches: frozenset[str]
    imported: bool
    may_skip: bool


def statements_of(pieces: Sequence[Piece]) -> tuple[list[TopLevelStatement], list[tuple[str, str]]]:
    """Return the top-level statements of a file, in order, and those that cannot be compiled, each with a message."""
    made: list[TopLevelStatement] = []
    broken = [one for piece in pieces for one in piece.broken]
    for at, piece in enumerate(pieces):
        for node in piece.statements:
            place = f"line {node.lineno} of {piece.place}"
            try:
                made.append(_statement(len(made), at, place, node))
            except (SyntaxError, ValueError, RecursionError) as error:  # such as `return` outside a function
                what = getattr(error, "msg", "") or "it is nested too deeply"
                source = ast.get_source_segment(piece.source, node) or ""
                broken.append((source, f"SyntaxError in {place}: {what}."))
    return made, broken


def _statement(index: int, piece: int, place: str, node: ast.stmt) -> TopLevelStatement:
    defines, now, later = _names(symtable.symtable(ast.unparse(node), place, "exec"))
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        now |= later  # a lambda may be called at once
    if _imports_all(node):
        defines.add(STAR)
    outside = list(_outside_functions(node))
    now |= {one.target.id for one in outside if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name)}
    return TopLevelStatement(
        index=index, piece=piece, place=place, node=node, defines=frozenset(defines), now=frozenset(now),
        later=frozenset(later), changes=frozenset(_changed(outside)), through=frozenset(_through(outside)),
        touches=frozenset(_touched(outside)), imported=isinstance(node, ast.Import | ast.ImportFrom),
        may_skip=isinstance(node, ast.If | ast.Try | ast.TryStar | ast.Match),
    )  # fmt: skip


def _names(table: symtable.SymbolTable) -> tuple[set[str], set[str], set[str]]:
    """Return the names that a statement defines, those that it reads when it runs, and those that it reads later."""
    defines, now, later = set[str](), set[str](), set[str]()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            defines.add(symbol.get_name())
        if symbol.is_referenced():
            now.add(symbol.get_name())
    for inner, delayed in _inner(table):
        for symbol in inner.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                (later if delayed else now).add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                defines.add(symbol.get_name())
    return defines, now, later


def _inner(table: symtable.SymbolTable) -> Iterator[tuple[symtable.SymbolTable, bool]]:
    """Yield the scopes in a scope, and whether each runs only when a function is called."""
    for child in table.get_children():
        comprehension = child.get_name() in {"listcomp", "setcomp", "dictcomp", "genexpr"}
        delayed = child.get_type() == "function" and not comprehension
        yield child, delayed
        yield from ((scope, delayed or inner) for scope, inner in _inner(child))


def _imports_all(node: ast.stmt) -> bool:
    return any(
        isinstance(one, ast.ImportFrom) and any(name.name == "*" for name in one.names) for one in ast.walk(node)
    )


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that run with it: not those in the bodies of functions."""
    yield node
    if not isinstance(node, _FUNCTIONS):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _changed(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names whose objects are changed: by assignment to a part, or by a call for its effect."""
    for node in nodes:
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _base(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not _only_shows(node.value):
            yield from _base(node.value.func)
            yield from _arguments(node.value)


def _through(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the modules of functions that change an argument, and not a setting of the module, such as its seed."""
    for node in nodes:
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
        ):
            sets = "seed" in node.value.func.attr or node.value.func.attr.startswith("set")
            if not sets and any(True for _ in _arguments(node.value)):
                yield from _base(node.value.func)


def _touched(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names whose objects are passed to a call, or have a method that is called."""
    for node in nodes:
        if isinstance(node, ast.Call) and not _only_shows(node):
            if isinstance(node.func, ast.Attribute):
                yield from _base(node.func)
            yield from _arguments(node)


def _only_shows(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _SHOWS


def _arguments(call: ast.Call) -> Iterator[str]:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        inner = argument
        while isinstance(inner, ast.Starred | ast.Subscript | ast.Attribute):
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield inner.id


def _base(node: ast.expr) -> Iterator[str]:
    """Yield the name at the start of `name.part[0].part`; not that of a plain name."""
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute | ast.Subscript | ast.Call):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    if isinstance(inner, ast.Name) and inner is not node:
        yield inner.id
