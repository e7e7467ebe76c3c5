"""The words for the places of a program: from its variable names, and the comments at the ends of its lines."""

import ast
import builtins
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """How the variables of a program are called in a sentence.

    Attributes:
        names: words for local variables.
        gradients: the name of a dictionary whose entries are the gradients of arrays of the same names; or "".
        holders: arguments whose attributes are arrays, such as `steps` in `steps.counts`.
        parts: words for what is returned, in order.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    gradients: str = ""
    holders: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()

    def of(self, node: ast.expr) -> str:
        """Return an expression in words: its name if it is a variable, or the variables in it."""
        simple = self._simple(node)
        if simple:
            return simple
        inside = list(dict.fromkeys(word for one in ast.walk(node) if (word := self._variable(one))))
        if not inside:
            text = ast.unparse(node)
            return text if len(text) < 12 else "a number"
        return f"the expression with {' and '.join(inside[:3])}"

    def target(self, statement: ast.stmt) -> tuple[str, str]:
        """Return what a statement computes, as a name or key and in words; two empty strings if it is unclear."""
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=elements)]):
                return "", listed([one for one in map(self._simple, elements) if one])
            case ast.Assign(targets=[target]) | ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                return self._place(target)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as value))):
                return self._place(value)
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="at"), args=[target, *_])):
                return self._place(target)
            case ast.Return():
                return "return", "the result"
            case ast.For(target=target):
                return "for", f"the loop over {listed(_names(target))}"
            case ast.While():
                return "for", "the loop"
            case ast.If():
                return "if", "the condition"
        return "", ""

    def _place(self, target: ast.expr) -> tuple[str, str]:
        while isinstance(target, ast.Subscript | ast.Attribute):
            match target:
                case ast.Subscript(slice=ast.Constant(value=str() as key)):
                    return key, self._simple(target)
            target = target.value
        if isinstance(target, ast.Name):
            return target.id, self.names.get(target.id, target.id)
        return "", ""

    def _simple(self, node: ast.AST) -> str:
        if isinstance(node, ast.Subscript | ast.Name) and (text := ast.unparse(node)) in self.names:
            return self.names[text]
        match node:
            case ast.Name(id=name):
                return name
            case ast.Constant(value=value):
                return numeral(value) if isinstance(value, int | float) else repr(value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return numeral(-value)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as key)):
                return f"the gradient of {key}" if name == self.gradients else f"{name}[{key!r}]"
            case ast.Subscript(value=ast.Name(id=name)) if len(ast.unparse(node)) < 12:
                return ast.unparse(node).replace(name, self.names.get(name, name), 1)
            case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)]):
                return f"len({name})"
        return ""

    def _attribute(self, node: ast.Attribute) -> str:
        match node:
            case ast.Attribute(value=ast.Name(id=of), attr=name) if of in {*self.holders, "np", "math"}:
                return name
            case ast.Attribute(value=ast.Name(), attr="grad"):
                return "the gradient"
            case ast.Attribute(value=value, attr="T"):
                return self._simple(value) and f"{self._simple(value)}.T"
        return ""

    def _variable(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            known = node.id in {"np", "math", self.gradients} or hasattr(builtins, node.id)
            return "" if known or node.id in self.holders else self.names.get(node.id, node.id)
        return self._simple(node) if isinstance(node, ast.Attribute | ast.Subscript) else ""


def _names(target: ast.expr) -> list[str]:
    """Return the names that a loop gives values, without those that nobody reads."""
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and node.id != "_"] or ["the rounds"]


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return names as a list in words: "a, b and c"."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def is_(what: str) -> str:
    """Return a noun phrase with the right form of "is"."""
    return f"{what} {'are' if is_plural(what) else 'is'}"


def is_plural(what: str) -> bool:
    """Return whether a noun phrase such as "the logs of the probabilities" or "all names" is in the plural."""
    head = what.partition(" of ")[0].partition(" (")[0].partition(" after ")[0].partition(" that ")[0]
    return what.startswith("all ") or (
        what.startswith("the ") and head.endswith("s") and not head.endswith(("ss", "bias", "axis"))
    )


def numeral(value: float) -> str:
    """Return a number as people write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def comments(source: str) -> dict[int, str]:
    """Return the comment at the end of each line, by the number of the line from 1."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.removeprefix("# ") for token in tokens if token.type == tokenize.COMMENT}
