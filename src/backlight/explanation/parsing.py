"""Parse the text of an expression: it is split into statements, these into terms, and each term is parsed by `ast`.

A statement is split at the + and - outside all brackets, so that a sum may have any number of terms; `ast` by itself
fails at about three thousand. Only names, numbers, + - * / **, signs, brackets and calls of `FUNCTIONS` are allowed.
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
"""The functions of an expression."""

RULE: Final = "an expression must be made of names, numbers, + - * / **, brackets and functions"

_NAME = re.compile(r"[^\W\d]\w*")

# a number may contain a sign: 1e-5
_TOKEN = re.compile(
    r"(?P<number>(?:\d|\.\d)(?:[eE][+-]|[\w.])*)|(?P<word>\w+)|(?P<long>\*\*=?|//=?|<<=?|>>=?|->|[-+*/=!<>:%@&|^]=)"
    r"|(?P<space>[^\S\n]+|\#[^\n]*)|(?P<one>.)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sum of terms, and the name that it defines.

    Attributes:
        name: the name before the =, or "".
        terms: each term with its sign, +1 or -1.
    """

    name: str
    terms: tuple[tuple[int, ast.expr], ...]


def parse(source: str) -> list[Statement]:
    """Return the statements of an expression, in order.

    Raises:
        ConfigError: not an expression, or an empty one.
    """
    statements = [_statement(text) for text in _statements(source)]
    if not statements:
        raise ConfigError(f"{RULE}; got nothing. Try 'tanh(x * w + b)'.")
    return statements


def _statements(source: str) -> Iterator[str]:
    """Yield the statements, which line ends and semicolons outside brackets separate, without comments."""
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
    after_operand = False  # after an operand, a + or - joins two terms; elsewhere it is a sign
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
    """Return a name as normalised by Python's parser (NFKC), so that equivalent characters are the same."""
    return unicodedata.normalize("NFKC", name)


def _tree(part: str, statement: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # code that gives a SyntaxWarning is refused too
            return ast.parse(part.strip(), mode="eval").body
    except (RecursionError, MemoryError):  # CPython's parser raises either for deep nesting
        raise ConfigError(
            f"an expression must not be nested thousands of levels deep; got {_quoted(part)}. "
            "Split it into named parts: a = ...; b = a * ..."
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
    """Yield every part of a term.

    Raises:
        ConfigError: a part that is not allowed.
    """
    pending = [tree]
    while pending:
        node = pending.pop()
        match node:
            case ast.Name(id=name) if name not in FUNCTIONS:
                pass
            case ast.Name(id=name):
                raise ConfigError(f"the function {name} needs an argument; got {name} alone. Write {name}(x).")
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                _number(number, node)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                pending.append(node.operand)
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow()):
                pending += [node.left, node.right]
            case ast.Call(func=ast.Name(id=name), args=[ast.expr() as argument], keywords=[]) if name in FUNCTIONS:
                pending.append(argument)
            case _:
                raise ConfigError(_refusal(node))
        yield node


def _refusal(node: ast.expr) -> str:
    """Return the error message for a part that is not allowed."""
    functions = f"the functions are {', '.join(FUNCTIONS)}"
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            return f"{name} takes one argument; got {_source(node)}. Write {name}(x)."
        case ast.Call(func=ast.Attribute(attr=name)) if name in FUNCTIONS:
            return f"{functions}; got the method {_source(node)}. Write {name}(x)."
        case ast.Call():
            return f"{functions}; got a call of {_source(node.func)}. Leave it out."
        case ast.Attribute():
            return f"{RULE}; got the attribute {_source(node)}. Use a plain name, and set its number with --at."
        case ast.BinOp(op=ast.BitXor()):
            return f"{RULE}; got {_source(node)}. A power is written **."
    return f"{RULE}; got {_source(node)}. Leave it out."


def _source(node: ast.expr) -> str:
    try:
        return _quoted(ast.unparse(node))
    except (RecursionError, ValueError):  # nested too deeply, or an integer with too many digits
        return f"a {type(node).__name__}"


def literal(node: ast.expr) -> float | None:
    """Return the value of a number, including its sign; None for any other node."""
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
        raise ConfigError(f"a number must be below 1.8e308; got {_source(node)}.")
    return finite
