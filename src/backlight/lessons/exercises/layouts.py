"""Changes of the order of numbers in an array: axes that are moved, split or merged in another order."""

import ast
import itertools

from backlight.lessons.exercises.changes import RARE, SEEN, USUAL, Slot, placed


def of_layout(slot: Slot) -> None:
    """Note the changes of `reshape` and `transpose`."""
    match slot.node:
        case ast.Call(func=ast.Attribute(value=split, attr="transpose"), args=[*axes]) if len(axes) > 2:
            _transposed(slot, split, [ast.literal_eval(one) for one in axes])
        case ast.Call(func=ast.Attribute(value=merged, attr="reshape"), args=[*sizes]) if len(sizes) > 1:
            _merged(slot, merged, sizes)


def _transposed(slot: Slot, split: ast.expr, axes: list[int]) -> None:
    for other in itertools.permutations(axes[1:]):
        if list(other) != axes[1:]:
            order = (axes[0], *other)
            new = [placed(ast.Constant(one), slot.node) for one in order]
            slot.set("args", new, f"the axes are moved to the order {order}, not {tuple(axes)}", SEEN)
    match split:
        case ast.Call(func=ast.Attribute(attr="reshape") as called, args=[*sizes]) if len(sizes) == len(axes):
            there = [sizes[axis] for axis in axes]
            what = "it is reshaped to the last shape at once: without transpose, the numbers land in other places"
            slot.put(ast.Call(called, there, []), what, USUAL)
            if len(sizes) == 4 and axes == [0, 2, 1, 3]:
                mixed = ast.Call(called, [*sizes[:2], sizes[3], sizes[2]], [])
                back = ast.Call(
                    ast.Attribute(mixed, "transpose", ast.Load()), [ast.Constant(i) for i in (0, 3, 1, 2)], []
                )
                slot.put(back, "the last axis is split the other way round, so that parts are interleaved", SEEN)


def _merged(slot: Slot, merged: ast.expr, sizes: list[ast.expr]) -> None:
    """Note the change in which axes are swapped before they are merged."""
    if isinstance(merged, ast.Call) or ast.unparse(sizes[-1]) != "-1":
        return
    turned = ast.Call(ast.Attribute(merged, "swapaxes", ast.Load()), [ast.Constant(-1), ast.Constant(-2)], [])
    new = ast.Call(ast.Attribute(turned, "reshape", ast.Load()), sizes, [])
    slot.put(new, f"the axes of {slot.words.of(merged)} are swapped before they are joined", RARE)
