"""Changes of calls and indices in a program: axes, reductions, functions, slices."""

import ast
from collections.abc import Callable
from typing import Any, Final

from backlight.lessons.exercises.changes import ODD, RARE, SEEN, USUAL, Slot, placed
from backlight.lessons.exercises.naming import is_

_REDUCTIONS: Final = {"sum", "mean", "var", "max", "min", "argmax", "argmin"}
_OTHERS: Final[dict[str, tuple[str, ...]]] = {
    "sum": ("mean", "max"), "mean": ("sum", "max"), "var": ("std",), "max": ("min", "mean"), "argmax": ("argmin",),
    "argmin": ("argmax",), "cos": ("sin",), "sin": ("cos",), "tril": ("triu",), "log": ("log2", "log10"),
    "zeros_like": ("ones_like",), "zeros": ("ones",),
}  # fmt: skip
_UNARY: Final = {"exp", "log", "tanh", "sqrt", "cos", "sin", "tril", "abs"}
_SMALL: Final = (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
_AXES: Final = (0, 1, 2, -1, None, (0, 1), (0, 2))


def of_call(slot: Slot) -> None:
    """Note the changes of a call or an index."""
    match slot.node:
        case ast.Call(func=ast.Attribute(attr=name)) if name in _REDUCTIONS and _on_array(slot.node):
            _reduction(slot, slot.node, name)
        case ast.Call(func=ast.Attribute(attr=name) as called) if name in _OTHERS:
            _other_function(slot, called, name)
        case ast.Subscript(value=value, slice=index):
            _index(slot, value, index)
    _python_call(slot)
    match slot.node:
        case ast.Call(func=ast.Attribute(attr=name), args=[arg]) if name in _UNARY:
            _without(slot, name, arg, lambda inner: ast.Call(slot.node.func, [inner], []))  # type: ignore[attr-defined]
        case ast.Call(func=ast.Attribute(value=arg, attr=name), args=[]) if name in _UNARY:
            _without(slot, name, arg, lambda inner: ast.Call(ast.Attribute(inner, name, ast.Load()), [], []))


def _python_call(slot: Slot) -> None:
    match slot.node:
        case ast.Call(func=ast.Name(id="range"), args=[*args]):
            last = args[-1]
            for more, said in ((1, "goes one further"), (-1, "ends one earlier")):
                longer = ast.BinOp(last, ast.Add() if more > 0 else ast.Sub(), ast.Constant(1))
                slot.set("args", [*args[:-1], placed(longer, last)], f"the range {said}: shifted by one", SEEN)
            if len(args) == 1:
                slot.set("args", [placed(ast.Constant(1), last), last], "the range begins at 1, not at 0", SEEN)
        case ast.Call(func=ast.Name(id="int"), args=[arg]):
            slot.put(
                ast.Call(ast.Name("round", ast.Load()), [arg], []), "it is rounded to the nearest, not down", USUAL
            )
        case ast.Call(func=ast.Name(id="enumerate"), args=[arg]):
            slot.set("args", [arg, placed(ast.Constant(1), arg)], "the ids begin at 1, not at 0", SEEN)
        case ast.Call(func=ast.Attribute(value=value, attr="zfill")):
            slot.put(value, "the zeros in front are missing: it is not padded", USUAL)
        case ast.Call(func=ast.Attribute(value=value, attr="transpose")):
            slot.put(value, "the axes are not swapped: transpose is missing", SEEN)
        case ast.Call(func=ast.Attribute(attr="where"), args=[condition, chosen, other]):
            _mask(slot, condition, chosen, other)
        case ast.Call(func=ast.Attribute(attr="maximum" | "minimum" as name) as called, args=[one, other]):
            _extreme(slot, called, name, (one, other))


def _mask(slot: Slot, condition: ast.expr, chosen: ast.expr, other: ast.expr) -> None:
    slot.put(chosen, "the mask is missing", USUAL)
    slot.set("args", [condition, other, chosen], "the mask is the wrong way round", SEEN)
    said = "the mask is multiplied before the softmax, where 0 is not -inf"
    slot.put(ast.BinOp(condition, ast.Mult(), chosen), said, USUAL)
    zero = placed(ast.Constant(0.0), other)
    slot.set("args", [condition, chosen, zero], "0 stands in place of -inf before the softmax", USUAL)
    before = f"np.tril({ast.unparse(condition)}, -1)"
    next_too = f"({ast.unparse(condition)}) | np.eye(*{ast.unparse(chosen)}.shape[-2:], k=1, dtype=bool)"
    for text, said in ((before, "a position does not read itself"), (next_too, "a position reads the next one, too")):
        moved = placed(ast.parse(text, mode="eval").body, condition)
        for hidden in (other, placed(ast.Constant(-1e9), other)):  # they differ where a whole row is hidden
            slot.set("args", [moved, chosen, hidden], f"the mask is shifted by one: {said}", SEEN)


def _extreme(slot: Slot, called: ast.Attribute, name: str, both: tuple[ast.expr, ast.expr]) -> None:
    swapped = "minimum" if name == "maximum" else "maximum"
    slot.found.append((f"{swapped} stands in place of {name}", SEEN, ((called, "attr", None, swapped),)))
    for kept, lost in (both, both[::-1]):
        slot.put(kept, f"{is_(slot.words.of(lost))} forgotten: there is no {name}", USUAL)


def _on_array(node: ast.Call) -> bool:
    return not (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and
                node.func.value.id == "np")  # fmt: skip


def _without(slot: Slot, name: str, arg: ast.expr, around: Callable[[ast.expr], ast.expr]) -> None:
    slot.put(arg, f"{'the square root' if name == 'sqrt' else name} is missing", USUAL)
    slot.put(around(slot.node), f"{name} is taken twice", RARE)
    if isinstance(arg, ast.BinOp) and isinstance(arg.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
        said, of = "the square root" if name == "sqrt" else name, slot.words.of
        one = ast.BinOp(around(arg.left), arg.op, arg.right)
        slot.put(one, f"{said} is taken of {of(arg.left)} only, not of {of(arg.right)}: check the parentheses", USUAL)
        other = ast.BinOp(arg.left, arg.op, around(arg.right))
        slot.put(other, f"{said} is taken of {of(arg.right)} only, not of {of(arg.left)}: check the parentheses", SEEN)
    if name == "log":
        for small in _SMALL:
            more = ast.BinOp(arg, ast.Add(), ast.Constant(small))
            slot.put(around(more), f"a small number is added inside the log, about {small:g}", RARE)
    if name == "tanh":
        np_ = ast.Name("np", ast.Load())
        relu = ast.Call(ast.Attribute(np_, "maximum", ast.Load()), [arg, ast.Constant(0)], [])
        slot.put(relu, "ReLU stands in place of tanh", SEEN)
        down = ast.Call(ast.Attribute(np_, "exp", ast.Load()), [ast.UnaryOp(ast.USub(), arg)], [])
        one = ast.BinOp(ast.Constant(1), ast.Div(), ast.BinOp(ast.Constant(1), ast.Add(), down))
        slot.put(one, "a sigmoid stands in place of tanh", SEEN)


def _other_function(slot: Slot, called: ast.Attribute, name: str) -> None:
    for other in _OTHERS[name]:
        rank = SEEN if name != "zeros_like" else RARE
        sets = ((called, "attr", None, other),)
        slot.found.append((f"{other} stands in place of {name}", rank, sets))


def _reduction(slot: Slot, node: ast.Call, name: str) -> None:
    if not isinstance(node.func, ast.Attribute):
        return
    if name in _OTHERS:
        _other_function(slot, node.func, name)
    axis = ast.literal_eval(node.args[0]) if node.args else None
    over = _over(axis)
    for other in _AXES:
        if other != axis:
            args = [placed(ast.parse(repr(other), mode="eval").body, node)]
            slot.set("args", args, f"the {name} is {_over(other)}, not {over}", USUAL if other in {0, 1} else SEEN)
    keep = [one for one in node.keywords if one.arg != "keepdims"]
    if len(keep) < len(node.keywords):
        slot.set("keywords", keep, f"keepdims is missing in the {name}", USUAL)
    if name == "var":
        biased = [one for one in node.keywords if one.arg == "ddof"]
        rest = [one for one in node.keywords if one.arg != "ddof"]
        if biased:
            slot.set("keywords", rest, "the variance is the biased one, divided by N for N - 1", USUAL)
        else:
            more = placed(ast.keyword("ddof", ast.Constant(1)), node)
            ast.fix_missing_locations(more)
            slot.set("keywords", [*rest, more], "the variance is the unbiased one, divided by N - 1 for N", USUAL)
        about_zero = ast.Call(
            ast.Attribute(ast.BinOp(node.func.value, ast.Pow(), ast.Constant(2)), "mean", ast.Load()),
            node.args, keep,
        )  # fmt: skip
        slot.put(about_zero, "the mean is not subtracted before squaring", SEEN)
    slot.put(node.func.value, f"the {name} {over} is missing", USUAL if name in {"sum", "mean"} else RARE)


def _over(axis: object) -> str:
    return "over everything" if axis is None else f"over axis {axis}" if isinstance(axis, int) else f"over axes {axis}"


def _index(slot: Slot, value: ast.expr, index: ast.expr) -> None:
    said = slot.words.of(value)
    if isinstance(index, ast.Slice):
        _slice(slot, value, index, said)
    elif isinstance(index, ast.Tuple) and not any(isinstance(one, ast.Slice) for one in index.elts):
        whole = placed(ast.Slice(), index)
        if isinstance(slot.node.ctx, ast.Load):  # type: ignore[attr-defined]
            columns = ast.Tuple([whole, *index.elts[1:]], ast.Load())
            slot.set("slice", placed(columns, index), f"whole columns of {said} are taken: [:, ...] for one row", SEEN)
            for at, one in enumerate(index.elts):
                for by in (-1, 1) if isinstance(one, ast.Name) else ():
                    near = [*index.elts[:at], ast.BinOp(one, ast.Add(), ast.Constant(by)), *index.elts[at + 1 :]]
                    what = f"{slot.words.of(one)} {'+' if by > 0 else '-'} 1 stands in place of {slot.words.of(one)}"
                    slot.set("slice", placed(ast.Tuple(near, ast.Load()), index), what, SEEN)
    elif isinstance(index, ast.Name):
        for op, shift in ((ast.Add(), "+"), (ast.Sub(), "-")):
            moved = ast.BinOp(index, op, ast.Constant(1))
            slot.set("slice", placed(moved, index), f"the index of {said} is shifted by one ({shift} 1)", SEEN)
        columns = ast.Tuple([ast.Slice(), index], ast.Load())
        slot.set("slice", placed(columns, index), f"columns of {said} are taken, not rows", SEEN)


def _slice(slot: Slot, value: ast.expr, index: ast.Slice, said: str) -> None:
    slot.put(value, f"all of {said} is taken, not a part of it" if index.step is None else
             f"{said} is not reversed", USUAL)  # fmt: skip
    if index.step is not None:
        return
    for name, bound in (("lower", index.lower), ("upper", index.upper)):
        if bound is None:
            continue
        for op in (ast.Add(), ast.Sub()):
            moved: dict[str, Any] = {"lower": index.lower, "upper": index.upper}
            moved[name] = ast.BinOp(bound, op, ast.Constant(1))
            slot.set("slice", placed(ast.Slice(**moved), index), f"the slice of {said} is shifted by one", SEEN)
    if index.lower is None and isinstance(index.upper, ast.UnaryOp):
        slot.set("slice", placed(ast.Slice(lower=index.upper.operand), index), f"{said} is cut at the wrong end", ODD)
    elif index.upper is None and index.lower is not None:
        cut = ast.Slice(upper=ast.UnaryOp(ast.USub(), index.lower))
        slot.set("slice", placed(cut, index), f"{said} is cut at the wrong end", ODD)
