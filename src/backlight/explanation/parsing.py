"""From the text of an expression to trees: cut into statements, statements into terms, terms parsed by `ast`.

A statement is cut at the + and - outside of all brackets, so that a sum may have any number of terms; `ast` by itself
ends at about three thousand. Of what `ast` knows only names, numbers, + - * / **, signs, brackets and calls of
`FUNCTIONS` are allowed.
"""

import ast
import math
import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backlight.core import ConfigError

FUNCTIONS: Final = ("abs", "cos", "exp", "log", "relu", "sigmoid", "sin", "sqrt", "tanh")
"""What can be called."""

RULE: Final = "an expression is made of names, numbers, + - * / **, brackets and functions"

_NAME = re.compile(r"[^\W\d]\w*")

# a number may hold a sign: 1e-5
_TOKEN = re.compile(
    r"(?P<number>(?:\d|\.\d)(?:[eE][+-]|[\w.])*)|(?P<word>\w+)|(?P<long>\*\*=?|//=?|<<=?|>>=?|->|[-+*/=!<>:%@&|^]=)"
    r"|(?P<space>[^\S\n]+|\#[^\n]*)|(?P<one>.)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sum, and the name that it goes by.

    Attributes:
        name: what stands before the =, or "".
        terms: each with the sign before it: +1 or -1.
    """

    name: str
    terms: tuple[tuple[int, ast.expr], ...]


def parse(source: str) -> list[Statement]:
    """Return the statements of an expression, in order.

    Raises:
        ConfigError: something that is no expression, or none at all.
    """
    statements = [_statement(text) for text in _statements(source)]
    if not statements:
        raise ConfigError(f"{RULE}; got nothing. Try 'tanh(x * w + b)'.")
    return statements


def _statements(source: str) -> Iterator[str]:
    """Yield the parts between line ends and semicolons outside of brackets, without comments."""
    part, depth = "", 0
    for kind, text in _tokens(source):
        depth = _deeper(depth, text)
        if text in {";", "\n"} and depth <= 0:
            yield from filter(None, [part.strip()])
            part = ""
        elif not (kind == "space" and text.startswith("#")):
            part += text
    yield from filter(None, [part.strip()])


def _statement(text: str) -> Statement:
    terms: list[tuple[int, ast.expr]] = []
    name, part, sign, depth = "", "", 1, 0
    after_operand = False  # where a + or - joins two terms; elsewhere it is a sign
    for kind, piece in _tokens(text):
        depth = _deeper(depth, piece)
        if depth == 0 and piece == "=" and not (name or terms):
            name, part, after_operand = _target(part, text), "", False
        elif depth == 0 and piece in {"+", "-"} and after_operand:
            terms.append((sign, _tree(part, text)))
            sign, part, after_operand = 1 if piece == "+" else -1, "", False
        else:
            part += piece
            if kind != "space":
                after_operand = kind in {"number", "word"} or piece in {")", "]", "}", '"', "'"}
    terms.append((sign, _tree(part, text)))
    return Statement(name=name, terms=tuple(terms))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        yield match.lastgroup or "", match.group()


def _deeper(depth: int, piece: str) -> int:
    return depth + (piece in {"(", "[", "{"}) - (piece in {")", "]", "}"})


def _target(part: str, statement: str) -> str:
    name = part.strip()
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"a name must stand before =; got {_quoted(name or statement)}. Write it as in 'n = x*w + b'."
        )
    return normal(name)


def normal(name: str) -> str:
    """Return a name as Python's parser gives it back, which takes letters that look alike for one."""
    return unicodedata.normalize("NFKC", name)


def _tree(part: str, statement: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of is no expression either
            return ast.parse(part.strip(), mode="eval").body
    except (RecursionError, MemoryError):  # both are how CPython's parser says "too deep"
        raise ConfigError(
            f"an expression must not be nested thousands deep; got {_quoted(part)}. "
            "Give parts of it names: a = ...; b = a * ..."
        ) from None
    except (SyntaxError, ValueError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        where = _quoted(part) if part.strip() else f"nothing for a term in {_quoted(statement)}"
        raise ConfigError(f"{RULE}; got {where}: {why.split('; ')[0]}. Correct it.") from None


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 40 else text[:39] + "…")


# -- what is allowed -------------------------------------------------------------------------------------------------


def parts(tree: ast.expr) -> Iterator[ast.expr]:
    """Yield every part of a term. Raises ConfigError for one that is not allowed."""
    unread = [tree]
    while unread:
        node = unread.pop()
        match node:
            case ast.Name(id=name) if name not in FUNCTIONS:
                pass
            case ast.Name(id=name):
                raise ConfigError(f"{name} is a function and needs an argument; got {name} alone. Write {name}(x).")
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                _number(number, node)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                unread.append(node.operand)
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow()):
                unread += [node.left, node.right]
            case ast.Call(func=ast.Name(id=name), args=[ast.expr() as argument], keywords=[]) if name in FUNCTIONS:
                unread.append(argument)
            case _:
                raise ConfigError(_refusal(node))
        yield node


def _refusal(node: ast.expr) -> str:
    """Return what is wrong with a part that is not allowed, and the way out."""
    functions = f"the functions are {', '.join(FUNCTIONS)}"
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            return f"{name} takes one argument; got {_source(node)}. Write {name}(x)."
        case ast.Call(func=ast.Attribute(attr=name)) if name in FUNCTIONS:
            return f"{functions}; got the method {_source(node)}. Write {name}(x)."
        case ast.Call():
            return f"{functions}; got a call of {_source(node.func)}. Leave it out."
        case ast.Attribute():
            return f"{RULE}; got the attribute {_source(node)}. Give it a plain name, and a number by --at."
        case ast.BinOp(op=ast.BitXor()):
            return f"{RULE}; got {_source(node)}. A power is written **."
    return f"{RULE}; got {_source(node)}. Leave it out."


def _source(node: ast.expr) -> str:
    try:
        return _quoted(ast.unparse(node))
    except (RecursionError, ValueError):  # too deep to be shown, or an integer too long to be written
        return f"a {type(node).__name__}"


def literal(node: ast.expr) -> float | None:
    """Return the number that a node is, a sign before it included; None for anything else."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return _number(number, node)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -_number(number, node)
    return None


def _number(number: float, node: ast.expr) -> float:
    try:
        finite = float(number)
    except OverflowError:
        finite = math.inf
    if math.isinf(finite):
        raise ConfigError(f"a number must stay below 1.8e308; got {_source(node)}. Take a smaller one.")
    return finite
