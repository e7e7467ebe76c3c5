"""Changes of one expression: an operation, a sign, a condition, a constant."""

import ast
from collections.abc import Callable
from typing import Final

from backlight.lessons.exercises.changes import ODD, RARE, SEEN, USUAL, Slot, placed, term_
from backlight.lessons.exercises.naming import is_, numeral

_SHORT: Final = 2
"""Characters of a text that may stand twice, such as the dots around a word."""


def of_expression(slot: Slot) -> None:
    """Note the changes of one expression, whatever its kind."""
    match slot.node:
        case ast.BinOp():
            _operation(slot, slot.node)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            slot.put(operand, "the minus is missing", USUAL)
        case ast.Constant(value=value):
            _constant(slot, value)
        case ast.Compare(ops=[op]) if type(op) in _OPPOSITE:
            slot.set("ops", [_OPPOSITE[type(op)]()], "the condition is the opposite", RARE)
        case ast.Compare(ops=[op]) if type(op) in _NEIGHBOURS:
            near, text = _NEIGHBOURS[type(op)]
            slot.set("ops", [near()], f"{text}: it is shifted by one", SEEN)
        case ast.BoolOp(op=op, values=values):
            other, said = (ast.Or(), "or") if isinstance(op, ast.And) else (ast.And(), "and")
            slot.set("op", other, f"{said} stands in place of {'and' if said == 'or' else 'or'}", SEEN)
            for one in values:
                rest = [value for value in values if value is not one]
                new = rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
                asked = slot.words.of(one)
                missing = (
                    f"it is not asked {asked}" if asked.startswith("whether ") else f"the condition {asked} is missing"
                )
                slot.put(new, missing, USUAL)
        case ast.Name(id="N") | ast.Call(func=ast.Name(id="len")):
            _count_or_one_less(slot, slot.node)
        case ast.Attribute(value=value, attr="T"):
            slot.put(value, f"{is_(slot.words.of(value))} not transposed", USUAL)


_OPPOSITE: Final = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In}
_NEIGHBOURS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], str]]] = {
    ast.Lt: (ast.LtE, "<= stands in place of <"), ast.LtE: (ast.Lt, "< stands in place of <="),
    ast.Gt: (ast.GtE, ">= stands in place of >"), ast.GtE: (ast.Gt, "> stands in place of >="),
}  # fmt: skip


def _operation(slot: Slot, node: ast.BinOp) -> None:
    if isinstance(node.op, ast.Mult | ast.Div):
        _parentheses(slot, node)
    if type(node.op) in _OPERATIONS:
        _OPERATIONS[type(node.op)](slot, node.left, node.right)


def _sum_(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    of = slot.words.of
    slot.put(right, f"{is_(term_(left, of))} missing", USUAL)
    slot.put(left, f"{is_(term_(right, of))} missing", USUAL)
    slot.set("op", ast.Sub(), f"{is_(of(right))} subtracted, not added: a wrong sign", USUAL)
    slot.set("op", ast.Mult(), f"{of(left)} and {of(right)} are multiplied, not added", SEEN)
    _around_more(slot, left, right)
    slot.put(ast.BinOp(left, ast.Add(), slot.node), f"{is_(of(left))} added twice", RARE)
    slot.put(ast.BinOp(slot.node, ast.Add(), right), f"{is_(of(right))} added twice", RARE)


def _difference(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    of = slot.words.of
    slot.put(left, f"{is_(of(right))} not subtracted", USUAL)
    slot.set("op", ast.Add(), f"{is_(of(right))} added, not subtracted: a wrong sign", USUAL)
    slot.put(ast.UnaryOp(ast.USub(), right), f"{is_(term_(left, of))} missing", SEEN)
    slot.put(ast.BinOp(right, ast.Sub(), left), "the difference is the wrong way round", USUAL)
    slot.put(ast.BinOp(left, ast.Add(), slot.node), f"{is_(of(left))} added twice", RARE)
    slot.put(ast.BinOp(slot.node, ast.Sub(), right), f"{is_(of(right))} subtracted twice", RARE)


def _product(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    of = slot.words.of
    slot.put(right, f"the factor {of(left)} is missing", USUAL)
    slot.put(left, f"the factor {of(right)} is missing", USUAL)
    slot.set("op", ast.Div(), f"it is divided by {of(right)}, not multiplied", SEEN)
    slot.put(ast.BinOp(right, ast.Div(), left), f"it is divided by {of(left)}, not multiplied", SEEN)
    slot.set("op", ast.Add(), f"{of(left)} and {of(right)} are added, not multiplied", SEEN)
    slot.put(ast.BinOp(slot.node, ast.Mult(), left), f"the factor {of(left)} occurs twice", SEEN)
    slot.put(ast.BinOp(slot.node, ast.Mult(), right), f"the factor {of(right)} occurs twice", SEEN)
    if isinstance(right, ast.Constant):
        slot.put(ast.BinOp(left, ast.Add(), ast.Constant(1)), f"{of(left)} grows by 1 only", SEEN)


def _quotient(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    of = slot.words.of
    slot.put(left, f"the division by {of(right)} is missing", USUAL)
    slot.set("op", ast.Mult(), f"it is multiplied by {of(right)}, not divided", USUAL)
    slot.put(ast.BinOp(right, ast.Div(), left), "the quotient is upside down", SEEN)
    slot.put(ast.BinOp(slot.node, ast.Div(), right), f"it is divided by {of(right)} twice", SEEN)
    below = ast.BinOp(ast.BinOp(ast.Constant(1), ast.Div(), left), ast.Div(), right)
    slot.put(below, f"it is divided by {of(left)}, too, not multiplied", SEEN)
    slot.put(ast.BinOp(ast.Constant(1), ast.Div(), right), f"the numerator {of(left)} is missing", RARE)
    log = ast.Attribute(ast.Name("np", ast.Load()), "log", ast.Load())
    slot.put(ast.Call(log, [slot.node], []), "its log is taken", SEEN)
    _mean_of_all(slot, left, right)


def _power(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    of = slot.words.of
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add | ast.Sub):
        one = ast.BinOp(ast.BinOp(left.left, ast.Pow(), right), left.op, left.right)
        what = f"the power {of(right)} is taken of {of(left.left)} only, not of {of(left.right)}: check the parentheses"
        slot.put(one, what, USUAL)
    slot.put(left, f"the power {of(right)} is missing", USUAL)
    slot.put(ast.BinOp(left, ast.Pow(), ast.UnaryOp(ast.USub(), right)), "the exponent has the wrong sign", SEEN)
    slot.put(ast.BinOp(left, ast.Mult(), right), f"it is multiplied by {of(right)}, not raised to a power", SEEN)


def _matrix_product(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    of = slot.words.of
    for name, one in (("left", left), ("right", right)):
        if not (isinstance(one, ast.Attribute) and one.attr == "T"):
            turned = ast.Attribute(one, "T", ast.Load())
            slot.set(name, placed(turned, one), f"{is_(of(one))} transposed", USUAL)
    slot.put(ast.BinOp(right, ast.MatMult(), left), "the product has its factors in the wrong order", SEEN)
    slot.put(left, f"the product with {of(right)} is missing", USUAL)
    slot.put(right, f"the product with {of(left)} is missing", SEEN)


_OPERATIONS: Final[dict[type[ast.operator], Callable[[Slot, ast.expr, ast.expr], None]]] = {
    ast.Add: _sum_,
    ast.Sub: _difference,
    ast.Mult: _product,
    ast.Div: _quotient,
    ast.Pow: _power,
    ast.MatMult: _matrix_product,
}


def _mean_of_all(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    match left:
        case ast.Call(func=ast.Attribute(value=value, attr="sum"), args=[]):
            mean = ast.Call(ast.Attribute(value, "mean", ast.Load()), [], [])
            said = f"the mean over all numbers is taken, not their sum divided by {slot.words.of(right)}"
            slot.put(mean, said, USUAL)


def _around_more(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    """Note the changes in which a factor or divisor of one term of a sum applies to the whole sum."""
    of = slot.words.of
    for product, other in ((left, right), (right, left)):
        if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult | ast.Div):
            inner = ast.BinOp(product.right, ast.Add(), other)
            if isinstance(product.op, ast.Mult):
                what = f"the factor {of(product.left)} also applies to {of(other)}: check the parentheses"
                slot.put(ast.BinOp(product.left, ast.Mult(), inner), what, SEEN)
            whole = ast.BinOp(ast.BinOp(product.left, ast.Add(), other), product.op, product.right)
            word = "factor" if isinstance(product.op, ast.Mult) else "divisor"
            what = f"the {word} {of(product.right)} also applies to {of(other)}: check the parentheses"
            slot.put(whole, what, SEEN)


def _parentheses(slot: Slot, node: ast.BinOp) -> None:
    """Note the changes in which a factor or divisor applies to some terms of a sum only: parentheses are missing."""
    for factor, total in ((node.left, node.right), (node.right, node.left)):
        if isinstance(node.op, ast.Div) and total is node.right:
            continue
        terms = _terms(total)
        if len(terms) < 2:
            continue
        of, word = slot.words.of, "divisor" if isinstance(node.op, ast.Div) else "factor"
        for alone in terms:
            for keep in (True, False):
                new = _sum(
                    [
                        (sign, ast.BinOp(term, node.op, factor) if (term is alone[1]) is keep else term)
                        for sign, term in terms
                    ]
                )
                which = f"{'only to' if keep else 'to all but'} {term_(alone[1], of)}"
                what = f"the {word} {of(factor)} applies {which}: check the parentheses"
                slot.put(new, what, SEEN)


def _terms(node: ast.expr, sign: bool = True) -> list[tuple[bool, ast.expr]]:
    """Return the terms of a sum or difference, each with whether it is added."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        right = sign if isinstance(node.op, ast.Add) else not sign
        return [*_terms(node.left, sign), *_terms(node.right, right)]
    return [(sign, node)]


def _sum(terms: list[tuple[bool, ast.expr]]) -> ast.expr:
    total: ast.expr = terms[0][1] if terms[0][0] else ast.UnaryOp(ast.USub(), terms[0][1])
    for sign, term in terms[1:]:
        total = ast.BinOp(total, ast.Add() if sign else ast.Sub(), term)
    return total


def _constant(slot: Slot, value: object) -> None:
    if isinstance(value, bool):
        slot.put(ast.Constant(not value), f"{not value} stands in place of {value}", RARE)
    elif isinstance(value, str):
        ends = [value[i + 1 :] for i, one in enumerate(value[:-1]) if one in "._"]
        twice = [value + value, value + value[-1]] if len(value) <= _SHORT else []
        for text in dict.fromkeys(["", *twice, value[:-1], *ends]) if value else ():
            slot.put(ast.Constant(text), f"{text!r} stands in place of {value!r}", SEEN)
    elif isinstance(value, int | float):
        for new in _near(value):
            rank = USUAL if new == 0 and 0 < value < 0.01 else SEEN
            rank = ODD if isinstance(slot.parent, ast.Dict | ast.Tuple) else rank
            slot.put(ast.Constant(new), f"{numeral(new)} stands in place of {numeral(value)}", rank)


def _near(value: float) -> list[float]:
    """Return numbers that somebody may have written for a number."""
    if 0 < value < 0.01:
        return [0, value * 10, value / 10, value / 1000]
    more: list[float] = [value + 1, value - 1, 2 * value, -value, 0, 1]
    if value % 2 == 0:
        more.append(int(value) // 2)
    elif value != int(value):
        more.append(value / 2)
    return [one for one in dict.fromkeys(more) if one != value]


def _count_or_one_less(slot: Slot, node: ast.expr) -> None:
    """Note the changes of a number of rows by one: N - 1 for N."""
    text = ast.unparse(node)
    for op, sign in ((ast.Sub(), "-"), (ast.Add(), "+")):
        slot.put(ast.BinOp(node, op, ast.Constant(1)), f"{text} {sign} 1 stands in place of {text}", SEEN)
