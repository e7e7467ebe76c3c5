"""Small changes of a program, one place at a time: what a learner may have written in place of it.

A change is a list of assignments to fields of the syntax tree, which can be taken back, and the words that describe it:
"in dx, the factor gain is missing". The more usual a change is, the lower its rank.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backlight.lessons.exercises.naming import Words, numeral

Rank = int
USUAL, SEEN, RARE, ODD = range(4)
_TWICE: Final = re.compile(r"\b(term|factor|condition|numerator|divisor|power) the expression with")


@dataclass(frozen=True)
class Change:
    """A change of a program.

    Attributes:
        quantity: what the changed line computes, in words.
        what: what is different there, in words.
        rank: how usual it is; 0 is the most usual.
        line: the number of the line.
        target: the name that the changed line gives a value, or the key of a dictionary.
        sets: (node, field, index in the field or None, new value).
    """

    quantity: str
    what: str
    rank: Rank
    line: int
    target: str
    sets: tuple[tuple[Any, str, int | None, Any], ...]

    @property
    def words(self) -> str:
        """The change as a clause."""
        what = _TWICE.sub(r"\1 with", self.what)
        return f"in {self.quantity}, {what}" if self.quantity else what

    def applied(self) -> Callable[[], None]:
        """Change the tree, and return a function that changes it back."""
        before = []
        for node, name, index, new in self.sets:
            place, key = (vars(node), name) if index is None else (getattr(node, name), index)
            before.append((place, key, place[key]))
            place[key] = new

        def back() -> None:
            for place, key, old in reversed(before):
                place[key] = old

        return back


@dataclass
class Slot:
    """An expression in a statement, and where it stands in the tree."""

    parent: ast.AST
    name: str
    index: int | None
    node: ast.expr
    words: Words
    found: list[tuple[str, Rank, tuple[tuple[Any, str, int | None, Any], ...]]] = field(default_factory=list)

    def put(self, new: ast.expr, what: str, rank: Rank) -> None:
        """Note a change: another expression in this place."""
        self.found.append((what, rank, ((self.parent, self.name, self.index, placed(new, self.node)),)))

    def set(self, name: str, value: Any, what: str, rank: Rank) -> None:
        """Note a change: another value of a field of this node."""
        self.found.append((what, rank, ((self.node, name, None, value),)))


def placed(new: Any, old: ast.AST) -> Any:
    """Give new nodes the line numbers of an old one."""
    if isinstance(new, ast.AST) and not hasattr(new, "lineno"):
        ast.copy_location(new, old)
        ast.fix_missing_locations(new)
    return new


def expressions(statement: ast.stmt, words: Words) -> Iterator[Slot]:
    """Yield the expressions of a statement, not those of the statements inside it."""

    def inside(parent: ast.AST) -> Iterator[Slot]:
        for name, value in ast.iter_fields(parent):
            several = isinstance(value, list)
            for index, node in enumerate(value if several else [value]):
                if isinstance(node, ast.expr):
                    if isinstance(getattr(node, "ctx", None), ast.Load | None) and not _is_function(parent, name):
                        yield Slot(parent, name, index if several else None, node, words)
                    yield from inside(node)
                elif isinstance(node, ast.keyword | ast.comprehension | ast.Slice):
                    yield from inside(node)

    yield from inside(statement)


def _is_function(parent: ast.AST, name: str) -> bool:
    return isinstance(parent, ast.Call) and name == "func"


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
                slot.put(new, f"the condition {slot.words.of(one)} is missing", USUAL)
        case ast.Name(id="N") | ast.Call(func=ast.Name(id="len")):
            _count_or_one_less(slot, slot.node)
        case ast.Attribute(value=value, attr="T"):
            slot.put(value, f"{slot.words.of(value)} is not transposed", USUAL)


_OPPOSITE: Final = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In}
_NEIGHBOURS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], str]]] = {
    ast.Lt: (ast.LtE, "<= stands in place of <"), ast.LtE: (ast.Lt, "< stands in place of <="),
    ast.Gt: (ast.GtE, ">= stands in place of >"), ast.GtE: (ast.Gt, "> stands in place of >="),
}  # fmt: skip


def _operation(slot: Slot, node: ast.BinOp) -> None:
    left, right, of = node.left, node.right, slot.words.of
    if isinstance(node.op, ast.Mult | ast.Div):
        _parentheses(slot, node)
    match node.op:
        case ast.Add():
            slot.put(right, f"{_term(left, of)} is missing", USUAL)
            slot.put(left, f"{_term(right, of)} is missing", USUAL)
            slot.set("op", ast.Sub(), f"{of(right)} is subtracted, not added: a wrong sign", USUAL)
            _around_more(slot, left, right)
            slot.put(ast.BinOp(left, ast.Add(), node), f"{of(left)} is added twice", RARE)
            slot.put(ast.BinOp(node, ast.Add(), right), f"{of(right)} is added twice", RARE)
        case ast.Sub():
            slot.put(left, f"{of(right)} is not subtracted", USUAL)
            slot.set("op", ast.Add(), f"{of(right)} is added, not subtracted: a wrong sign", USUAL)
            slot.put(ast.UnaryOp(ast.USub(), right), f"{_term(left, of)} is missing", SEEN)
            slot.put(ast.BinOp(right, ast.Sub(), left), "the difference is the wrong way round", USUAL)
        case ast.Mult():
            slot.put(right, f"the factor {of(left)} is missing", USUAL)
            slot.put(left, f"the factor {of(right)} is missing", USUAL)
            slot.set("op", ast.Div(), f"it is divided by {of(right)}, not multiplied", SEEN)
            slot.put(ast.BinOp(right, ast.Div(), left), f"it is divided by {of(left)}, not multiplied", SEEN)
            slot.set("op", ast.Add(), f"{of(left)} and {of(right)} are added, not multiplied", SEEN)
            slot.put(ast.BinOp(node, ast.Mult(), left), f"the factor {of(left)} occurs twice", SEEN)
            slot.put(ast.BinOp(node, ast.Mult(), right), f"the factor {of(right)} occurs twice", SEEN)
        case ast.Div():
            slot.put(left, f"the division by {of(right)} is missing", USUAL)
            slot.set("op", ast.Mult(), f"it is multiplied by {of(right)}, not divided", USUAL)
            slot.put(ast.BinOp(right, ast.Div(), left), "the quotient is upside down", SEEN)
            slot.put(ast.BinOp(node, ast.Div(), right), f"it is divided by {of(right)} twice", SEEN)
            slot.put(ast.BinOp(ast.Constant(1), ast.Div(), right), f"the numerator {of(left)} is missing", RARE)
            log = ast.Attribute(ast.Name("np", ast.Load()), "log", ast.Load())
            slot.put(ast.Call(log, [node], []), "its log is taken", SEEN)
            _mean_of_all(slot, left, right)
        case ast.Pow():
            slot.put(left, f"the power {of(right)} is missing", USUAL)
            slot.put(
                ast.BinOp(left, ast.Pow(), ast.UnaryOp(ast.USub(), right)), "the exponent has the wrong sign", SEEN
            )
            slot.put(
                ast.BinOp(left, ast.Mult(), right), f"it is multiplied by {of(right)}, not raised to a power", SEEN
            )
        case ast.MatMult():
            for name, one in (("left", left), ("right", right)):
                if not (isinstance(one, ast.Attribute) and one.attr == "T"):
                    turned = ast.Attribute(one, "T", ast.Load())
                    slot.set(name, placed(turned, one), f"{of(one)} is transposed", USUAL)
            slot.put(ast.BinOp(right, ast.MatMult(), left), "the product has its factors in the wrong order", SEEN)
            slot.put(left, f"the product with {of(right)} is missing", USUAL)
            slot.put(right, f"the product with {of(left)} is missing", SEEN)


def _mean_of_all(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    match left:
        case ast.Call(func=ast.Attribute(value=value, attr="sum"), args=[]):
            mean = ast.Call(ast.Attribute(value, "mean", ast.Load()), [], [])
            said = f"the mean over all numbers is taken, not their sum divided by {slot.words.of(right)}"
            slot.put(mean, said, USUAL)


def _around_more(slot: Slot, left: ast.expr, right: ast.expr) -> None:
    """Note the changes in which a factor or divisor of one term of a sum applies to the whole sum."""
    for product, other in ((left, right), (right, left)):
        if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult | ast.Div):
            inner = ast.BinOp(product.right, ast.Add(), other)
            if isinstance(product.op, ast.Mult):
                what = f"the factor {slot.words.of(product.left)} also applies to {slot.words.of(other)}: parentheses"
                slot.put(ast.BinOp(product.left, ast.Mult(), inner), what, SEEN)
            whole = ast.BinOp(ast.BinOp(product.left, ast.Add(), other), product.op, product.right)
            word = "factor" if isinstance(product.op, ast.Mult) else "divisor"
            what = f"the {word} {slot.words.of(product.right)} also applies to {slot.words.of(other)}: parentheses"
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
                which = f"{'only to' if keep else 'to all but'} {_term(alone[1], of)}"
                what = f"the {word} {of(factor)} applies {which}: parentheses"
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


def _term(node: ast.expr, of: Callable[[ast.expr], str]) -> str:
    if isinstance(node, ast.Constant):
        return of(node)
    return f"the term {of(node)}"


def _constant(slot: Slot, value: object) -> None:
    if isinstance(value, bool):
        slot.put(ast.Constant(not value), f"{not value} stands in place of {value}", RARE)
    elif isinstance(value, str):
        for text in ("", value + value, value[:-1]) if value else ():
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


def of_terms(slot: Slot, alike: Mapping[str, list[ast.expr]]) -> None:
    """Note the changes that put one more factor or divisor on one term of a sum.

    Args:
        slot: an expression.
        alike: the variables are its keys.
    """
    if not (isinstance(slot.node, ast.BinOp) and isinstance(slot.node.op, ast.Add | ast.Sub)):
        return
    for name in ("left", "right"):
        term = getattr(slot.node, name)
        for text in alike:
            other = ast.parse(text, mode="eval").body
            said = f"{_term(term, slot.words.of)} has {{}} {slot.words.of(other)} too many"
            slot.set(name, placed(ast.BinOp(term, ast.Mult(), other), term), said.format("a factor"), ODD)
            slot.set(name, placed(ast.BinOp(term, ast.Div(), other), term), said.format("a division by"), ODD)


def of_names(slot: Slot, alike: Mapping[str, list[ast.expr]]) -> None:
    """Note the changes that put another variable of the same shape into this place.

    Args:
        slot: an expression.
        alike: for the text of a variable, the variables that have its shape.
    """
    if not isinstance(slot.node, ast.Name | ast.Attribute | ast.Subscript):
        return
    for other in alike.get(ast.unparse(slot.node), []):
        said = f"{slot.words.of(other)} is used in place of {slot.words.of(slot.node)}"
        slot.put(other, said, SEEN)
