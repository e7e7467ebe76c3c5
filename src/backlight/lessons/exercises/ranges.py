"""Changes of ranges, slices and lists: where they begin and end, and which element is left out or comes first."""

import ast
from collections.abc import Iterator, Mapping

from backlight.lessons.exercises.changes import ODD, RARE, SEEN, Slot, placed
from backlight.lessons.exercises.naming import is_

_WHOLE = {"sum", "max", "min"}


def of_range(slot: Slot, alike: Mapping[str, list[ast.expr]]) -> None:
    """Note the changes of a range, of a slice with two bounds, or of a list that is joined or summed.

    Args:
        slot: an expression.
        alike: for the text of a variable, the variables of its type; those of numbers are among them.
    """
    match slot.node:
        case ast.Call(func=ast.Name(id="range"), args=[first, last, *rest]):
            _begin(slot, first, last, rest, alike)
        case ast.Call(
            func=ast.Attribute(attr="arange"), args=[first, ast.BinOp(left=left, op=ast.Add(), right=length)]
        ):
            if ast.unparse(first) == ast.unparse(left):
                slot.set("args", [length], f"it begins at 0, not at {slot.words.of(first)}", SEEN)
        case ast.ListComp(generators=[ast.comprehension(ifs=[condition]) as inside]):
            said = slot.words.of(condition).removeprefix("the expression with ")
            slot.found.append((f"the condition with {said} is missing", SEEN, ((inside, "ifs", None, []),)))
        case ast.Subscript(value=value, slice=ast.Slice(lower=ast.expr() as lower, upper=ast.expr() as upper)):
            _other_place(slot, value, lower, upper, alike)
            slot.set("slice", lower, f"a single element of {slot.words.of(value)} is taken, not several", SEEN)
        case ast.Call(func=ast.Name(id=name), args=[ast.Name() | ast.Subscript() as list_]) if name in _WHOLE:
            _all_but_one(slot, name, list_, alike)
        case ast.Call(func=ast.Attribute(attr="zfill")):
            turned = ast.Subscript(slot.node, ast.Slice(step=ast.UnaryOp(ast.USub(), ast.Constant(1))), ast.Load())
            slot.put(turned, "the digits are reversed", SEEN)
    _of_list(slot, alike)


def _of_list(slot: Slot, alike: Mapping[str, list[ast.expr]]) -> None:
    match slot.node:
        case ast.List(elts=[ast.Starred(value=ast.Subscript() as most), last]):
            _at_the_other_end(slot, most, last)
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=counted)]):
            _other_length(slot, counted, alike)
        case ast.Call(func=ast.Attribute(value=list_, attr="append"), args=[item]):
            insert = ast.Call(ast.Attribute(list_, "insert", ast.Load()), [ast.Constant(0), item], [])
            slot.put(insert, f"{is_(slot.words.of(item))} put at the front, not at the end", SEEN)


def _begin(
    slot: Slot, first: ast.expr, last: ast.expr, rest: list[ast.expr], alike: Mapping[str, list[ast.expr]]
) -> None:
    later = ast.BinOp(first, ast.Add(), ast.Constant(1))
    slot.set("args", [placed(later, first), last, *rest], "the range begins one later: shifted by one", SEEN)
    for name in _numbers(slot, alike):
        node = ast.Name(name, ast.Load())
        said = slot.words.of(node)
        if ast.unparse(first) != name:
            slot.set("args", [placed(node, first), last, *rest], f"the range begins at {said}", SEEN)
        if ast.unparse(last) != name:
            slot.set("args", [first, placed(node, last), *rest], f"the range ends at {said}", SEEN)


def _numbers(slot: Slot, alike: Mapping[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the names of the variables that are whole numbers, if the range has one."""
    inside = [node.id for node in ast.walk(slot.node) if isinstance(node, ast.Name) and node.id in alike]
    for name in inside[:1]:
        yield from (node.id for node in alike[name] if isinstance(node, ast.Name))
        yield name


def _other_place(
    slot: Slot, value: ast.expr, lower: ast.expr, upper: ast.expr, alike: Mapping[str, list[ast.expr]]
) -> None:
    """Note the changes in which both bounds of a slice are computed from another variable."""
    name, of = ast.unparse(lower), slot.words.of
    if not isinstance(lower, ast.Name) or not any(ast.unparse(node) == name for node in ast.walk(upper)):
        return
    for node in alike.get(name, []):
        if isinstance(node, ast.Name):
            moved = ast.Slice(node, _renamed(upper, name, node.id))
            said = f"{is_(of(value))} taken at {of(node)}, not at {of(lower)}"
            slot.set("slice", placed(moved, value), said, SEEN)


def _renamed(node: ast.expr, old: str, new: str) -> ast.expr:
    copied = ast.parse(ast.unparse(node), mode="eval").body
    for one in ast.walk(copied):
        if isinstance(one, ast.Name) and one.id == old:
            one.id = new
    return copied


def _all_but_one(slot: Slot, name: str, list_: ast.expr, alike: Mapping[str, list[ast.expr]]) -> None:
    said = slot.words.of(list_)
    if name == "sum":
        mean = ast.parse(f"sum({ast.unparse(list_)}) / len({ast.unparse(list_)})", mode="eval").body
        slot.put(mean, f"the sum is divided by the number of {said.removeprefix('the ')}", SEEN)
    for bounds, which in (("1:", "first"), (":-1", "last")):
        part = ast.parse(f"({ast.unparse(list_)})[{bounds}]", mode="eval").body
        slot.set("args", [placed(part, list_)], f"the {which} of {said} is left out of the {name}", SEEN)
    for text in alike:
        if text.isidentifier() and name == "sum":
            rest = f"[one for at, one in enumerate({ast.unparse(list_)}) if at != {text}]"
            what = f"the element at {slot.words.of(ast.Name(text))} is left out of the sum"
            slot.set("args", [placed(ast.parse(rest, mode="eval").body, list_)], what, RARE)


def _other_length(slot: Slot, counted: str, alike: Mapping[str, list[ast.expr]]) -> None:
    for text in alike:
        if text.isidentifier():
            new = ast.parse(f"np.shape({text})[-1]", mode="eval").body
            slot.put(new, f"the length of the last axis of {text} stands in place of len({counted})", RARE)


def _at_the_other_end(slot: Slot, most: ast.Subscript, last: ast.expr) -> None:
    """Note the changes of a list that drops its first element and gains one at the end."""
    list_, added = ast.unparse(most.value), ast.unparse(last)
    said, new = slot.words.of(most.value), slot.words.of(last)
    for text, what, rank in (
        (f"[{added}, *{list_}[:-1]]", f"{new} is put at the front of {said}, not at the end", SEEN),
        (f"[{added}, *{list_}[1:]]", f"{new} is put at the front of {said}, where the first is dropped", SEEN),
        (f"[*{list_}[:-1], {added}]", f"the last of {said} is dropped, not the first", SEEN),
        (f"[*{list_}[1:], 0]", f"0 is appended, not {new}", ODD),
    ):
        slot.put(ast.parse(text, mode="eval").body, what, rank)
