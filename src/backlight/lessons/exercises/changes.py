"""Small changes of a program, one place at a time: what a learner may have written in place of it.

A change is a list of assignments to fields of the syntax tree, which can be taken back, and the words that describe it:
"in dx, the factor gain is missing". The more usual a change is, the lower its rank.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backlight.lessons.exercises.naming import Words, is_

Rank = int
USUAL, SEEN, RARE, ODD = range(4)
_SAME: Final = re.compile(r"\bthe (term|factor|condition|numerator|divisor|power) the \1 ")
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
        what = _SAME.sub(r"the \1 ", _TWICE.sub(r"\1 with", self.what))
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
            said = f"{term_(term, slot.words.of)} has {{}} {slot.words.of(other)} too many"
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
        said = f"{is_(slot.words.of(other))} used in place of {slot.words.of(slot.node)}"
        slot.put(other, said, SEEN)


def term_(node: ast.expr, of: Callable[[ast.expr], str]) -> str:
    """Return a term of a sum in words: "the term x", or a number."""
    if isinstance(node, ast.Constant):
        return of(node)
    said = of(node)
    return said if said.startswith("the ") and not said.startswith("the expression with") else f"the term {said}"
