"""Changes of a block: a statement is left out, done twice, or moved, into a loop or out of it."""

import ast
from collections.abc import Iterator

from backlight.lessons.exercises.changes import ODD, RARE, SEEN, USUAL, Rank, placed


def without_or_twice(block: list[ast.stmt], place: int) -> Iterator[tuple[str, Rank, list[ast.stmt]]]:
    """Yield what is said of a change, its rank, and the block as it is then.

    Args:
        block: statements.
        place: the place of the one that is left out, done twice, or moved.
    """
    statement, before, after = block[place], block[:place], block[place + 1 :]
    if isinstance(statement, ast.Return | ast.Break):
        return
    nothing = [placed(ast.Pass(), statement)]
    yield "this step is left out", USUAL, [*before, *nothing, *after]
    if isinstance(statement, ast.AugAssign):
        negative = isinstance(statement.op, ast.Sub)
        value = ast.UnaryOp(ast.USub(), statement.value) if negative else statement.value
        alone = ast.Assign([statement.target], value)
        said = (
            "= stands in place of -=, so that it is replaced, not changed"
            if negative
            else "= stands in place of +=, so that only the last contribution counts"
        )
        yield said, USUAL, [
            *before, placed(alone, statement), *after,
        ]  # fmt: skip
        yield "this step is done twice", RARE, [*before, statement, statement, *after]
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="at"), args=[array, index, rows])):
            text = f"{ast.unparse(array)}[{ast.unparse(index)}] += {ast.unparse(rows)}"
            (new,) = ast.parse(text).body
            for node in ast.walk(new):
                ast.copy_location(node, statement)
            yield (
                "only the last of repeated indices counts: += keeps one, np.add.at adds all",
                USUAL,
                [*before, new, *after],
            )
    yield from _moved(block, place)


def _moved(block: list[ast.stmt], place: int) -> Iterator[tuple[str, Rank, list[ast.stmt]]]:
    statement, before, after = block[place], block[:place], block[place + 1 :]
    if after and not isinstance(after[0], ast.Return | ast.For | ast.While):
        yield "this step comes too early: it belongs before the one that follows now", ODD, [
            *before, after[0], statement, *after[1:],
        ]  # fmt: skip
    if isinstance(statement, ast.For | ast.While):
        yield from _once_after(statement, before, after)
        for count in range(1, len(after) + 1):
            inner, rest = after[:count], after[count:]
            if any(isinstance(one, ast.Return) for one in inner):
                break
            loop = _with_body(statement, [*statement.body, *inner])
            yield "what should follow the loop is inside it, once a round", SEEN, [*before, loop, *rest]
        ours, body = statement.body[:1], statement.body[1:]  # the first counts the rounds
        for count in range(1, len(body)):
            outside, inside = body[:count], [*ours, *body[count:]]
            yield "what should be done anew in each round is done once, before the loop", SEEN, [
                *before, *outside, _with_body(statement, inside), *after,
            ]  # fmt: skip
    if isinstance(statement, ast.Assign) and _names(statement.targets[0]) & _names(statement.value):
        # an update that something before it should not see yet
        for earlier in range(place):
            if _names(statement.targets[0]) & _names(block[earlier]):
                new = [*block[:earlier], statement, *block[earlier:place], *after]
                yield "it is updated too early: something after it uses the new value", ODD, new


def _once_after(
    loop: ast.For | ast.While, before: list[ast.stmt], after: list[ast.stmt]
) -> Iterator[tuple[str, Rank, list[ast.stmt]]]:
    """Yield the changes in which a function is applied once after the loop, not in each round."""
    for at, step in enumerate(loop.body):
        match step:
            case ast.Assign(
                targets=[ast.Name() as target],
                value=ast.Call(func=ast.Attribute(value=ast.Name(id="np")) as function, args=[arg]),
            ):
                plain = placed(ast.Assign([target], arg), step)
                read = ast.Name(target.id, ast.Load())
                once = placed(ast.Assign([target], ast.Call(function, [read], [])), step)
                body = [*loop.body[:at], plain, *loop.body[at + 1 :]]
                what = f"{function.attr} is taken once, after the last round, not in each round"
                yield what, SEEN, [*before, _with_body(loop, body), once, *after]


def _with_body(loop: ast.For | ast.While, body: list[ast.stmt]) -> ast.stmt:
    if isinstance(loop, ast.For):
        return ast.copy_location(ast.For(loop.target, loop.iter, body, loop.orelse), loop)
    return ast.copy_location(ast.While(loop.test, body, loop.orelse), loop)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
