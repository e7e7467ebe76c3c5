"""Find the list in `list[index]` while the index is asked for its number."""

import ast
import linecache
from itertools import islice
from types import FrameType
from typing import Any

_READABLE = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.expr_context)
"""What may stand in the expression of the list: only what can be evaluated a second time without effects."""


def subscripted(frame: FrameType) -> Any:
    """Return the object that a frame is indexing at present, as in `state["wte"][token]`; None if it cannot be told.

    Python tells the index nothing of the list. But an instruction knows its expression in the source, and the part
    before the brackets is evaluated once more if it consists of names, attributes, indices and constants.

    Args:
        frame: the frame whose present instruction is the indexing.
    """
    tree = _expression(frame)
    if not isinstance(tree, ast.Subscript) or not all(isinstance(node, _READABLE) for node in ast.walk(tree.value)):
        return None
    whole = ast.Expression(tree.value)
    try:
        return eval(compile(whole, "<list>", "eval"), frame.f_globals, frame.f_locals)  # noqa: S307  (the user's own code)
    except NameError:  # a variable of an enclosing function that this frame does not hold
        return None


def _expression(frame: FrameType) -> ast.expr | None:
    """Return the expression of a frame's present instruction; None if the source is not known."""
    positions = islice(frame.f_code.co_positions(), frame.f_lasti // 2, None)  # one for each two bytes of code
    line, end_line, column, end_column = next(positions)
    if line is None or end_line is None or column is None or end_column is None:
        return None
    lines = [
        linecache.getline(frame.f_code.co_filename, number, frame.f_globals) for number in range(line, end_line + 1)
    ]
    lines[-1] = lines[-1].encode()[:end_column].decode()  # columns count the bytes of UTF-8
    lines[0] = lines[0].encode()[column:].decode()
    try:
        return ast.parse(f"({''.join(lines)})", mode="eval").body
    except SyntaxError:
        return None
