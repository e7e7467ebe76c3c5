"""Evaluate an expression in text as a graph of Values. It is never run as Python code.

    n = x1*w1 + x2*w2 + b; o = tanh(n)

Statements are separated by line ends or semicolons; the last one is the end of the graph.
"""

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from backlight.autograd.number import Value
from backlight.core import ConfigError
from backlight.explanation.parsing import FUNCTIONS, Statement, literal, normal, parse, parts

_CALLS: Final[dict[str, Callable[[Value], Value]]] = {
    "abs": lambda a: a.relu() + (-a).relu(),  # its derivative at 0 is 0
    "sqrt": lambda a: a**0.5,
}
"""The functions that are not methods of Value."""

_ARITHMETIC: Final[dict[type[ast.operator], Callable[[Value, Value], Value]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


def evaluate(source: str, at: Mapping[str, float]) -> Value:
    """Return an expression as a Value. Its leaves and intermediate results have their names as labels.

    Args:
        source: one or several statements; the value of the last one is returned.
        at: a number for each name that no statement defines.

    Raises:
        ConfigError: not an expression, a name without a number, or a number without a use.
        DomainError: a division by 0, the logarithm of a negative number, and so on.
    """
    at = {normal(name): number for name, number in at.items()}
    statements = parse(source)
    _check_names(statements, at)
    known = {name: _leaf(number, name) for name, number in at.items()}
    for statement in statements:
        end = _sum(statement.terms, known)
        if statement.name:
            end.label = end.label or statement.name
            known[statement.name] = end
    return end


# -- names -------------------------------------------------------------------------------------------------------------


def _check_names(statements: list[Statement], at: Mapping[str, float]) -> None:
    """Check that every name has one number and that every number is used, before anything is computed."""
    given: set[str] = set(at)
    read: set[str] = set()
    missing: dict[str, None] = {}
    for name in at:
        _check_name(name)
        if not math.isfinite(at[name]):
            raise ConfigError(f"the number of a name must be finite; got {name}={at[name]}.")
    for statement in statements:
        for name in _names(statement):
            read.add(name)
            if name not in given:
                missing[name] = None
        if statement.name:
            _check_name(statement.name)
            if statement.name in given or statement.name in missing:
                raise ConfigError(
                    f"a name must be defined once, before it is used; got {statement.name} = ... "
                    "after its definition or use. Choose another name."
                )
            given.add(statement.name)
    if missing:
        have = "has" if len(missing) == 1 else "have"
        raise ConfigError(
            f"every name needs a number; {_listed(list(missing))} {have} none. "
            f"Add --at {','.join(f'{name}=1' for name in list(missing)[:_LISTED])}, or other numbers."
        )
    unused = [name for name in at if name not in read]
    if unused:
        raise ConfigError(
            f"every number must belong to a name in the expression; {_listed(unused)} {_does(unused)} not occur in it. "
            f"Its names: {_listed(sorted(read)) if read else 'none'}."
        )


_LISTED = 12
"""The most names that a message lists."""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _does(names: list[str]) -> str:
    return "does" if len(names) == 1 else "do"


def _check_name(name: str) -> None:
    if name in FUNCTIONS:
        raise ConfigError(f"a name must not be that of a function; got {name}. Choose another name.")


def _names(statement: Statement) -> Iterator[str]:
    """Yield the names that a statement reads, from left to right. Raises ConfigError for anything not allowed."""
    for _, term in statement.terms:
        found = [node for node in parts(term) if isinstance(node, ast.Name)]
        yield from (node.id for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)))


# -- from trees to Values ----------------------------------------------------------------------------------------------


def _sum(terms: tuple[tuple[int, ast.expr], ...], known: Mapping[str, Value]) -> Value:
    (_, first), *others = terms
    total = _value(first, known)
    for sign, term in others:
        total = total + _value(term, known) if sign > 0 else total - _value(term, known)
    return total


def _value(tree: ast.expr, known: Mapping[str, Value]) -> Value:
    """Return the Value of a term. Iterative, so that the depth of the tree is not limited."""
    pending: list[tuple[ast.expr, bool]] = [(tree, False)]
    done: list[Value] = []
    while pending:
        node, inputs_done = pending.pop()
        inputs = [] if inputs_done else _inputs(node)
        if inputs:
            pending.append((node, True))
            pending += [(child, False) for child in reversed(inputs)]
        else:
            _compute(node, done, known)
    return done.pop()


def _inputs(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp():
            return [node.left, node.right]
        case ast.Call():
            return node.args
        case ast.UnaryOp() if literal(node) is None:
            return [node.operand]
    return []


def _compute(node: ast.expr, done: list[Value], known: Mapping[str, Value]) -> None:
    """Replace the inputs of a node, at the end of the stack `done`, by its Value."""
    number = literal(node)
    if number is not None:
        done.append(_leaf(number))
        return
    match node:
        case ast.Name(id=name):
            done.append(known[name])
        case ast.Call(func=ast.Name(id=name)):
            done.append(_call(name, done.pop()))
        case ast.UnaryOp(op=ast.USub()):
            done.append(-done.pop())
        case ast.BinOp(op=ast.Pow(), right=right) if not any(isinstance(part, ast.Name) for part in parts(right)):
            exponent = float(done.pop().data)  # an exponent without names is a constant, not a node of the graph
            done.append(done.pop() ** (int(exponent) if exponent.is_integer() else exponent))
        case ast.BinOp(op=op):
            b, a = done.pop(), done.pop()
            done.append(_ARITHMETIC[type(op)](a, b))


def _call(name: str, argument: Value) -> Value:
    made: Value = _CALLS[name](argument) if name in _CALLS else getattr(argument, name)()
    return made


def _leaf(number: float, label: str = "") -> Value:
    return Value(float(number), label=label)
