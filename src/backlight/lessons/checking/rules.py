"""Rules for exercises whose answer should be written by hand: what an answer may not use.

A rule is checked twice: in the text of the answer, and while the answer runs, which also finds what a text hides.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, Final, Self

RULES: Final[dict[str, tuple[str, ...]]] = {
    "autograd": ("1.1", "1.2", "1.3", "1.4", "2.4", "5.1", "5.2", "5.3", "5.4", "11.1", "11.2"),
    "layers": ("2.5", "4.4", "5.2", "5.3", "5.4", "6.1", "6.3", "7.1", "7.4", "11.1"),
}
"""The rules by name, with the exercises where they hold: no gradients by autograd; no ready-made layers and losses."""

_CALLS: Final[dict[str, frozenset[str]]] = {
    "autograd": frozenset({"backward", "grad", "vjp", "jacobian", "vmap", "run_backward", "jacrev", "value_and_grad"}),
    "layers": frozenset({
        "batch_norm", "native_batch_norm", "layer_norm", "BatchNorm1d", "BatchNorm2d", "BatchNorm", "LayerNorm",
        "cross_entropy", "nll_loss", "CrossEntropyLoss", "scaled_dot_product_attention", "multi_head_attention_forward",
        "MultiheadAttention", "SelfAttention", "CausalSelfAttention", "conv1d", "Conv1d",
    }),
}  # fmt: skip
_LIBRARIES: Final = ("torch", "backlight.autograd", "backlight.nn", "backlight.torchlike", "jax", "autograd")


def forbidden_calls(rules: Sequence[str], exercise: str) -> frozenset[str]:
    """Return the names of the functions that an exercise may not use."""
    return frozenset().union(*(_CALLS[rule] for rule in rules if exercise in RULES[rule]))


def breaches(rules: Sequence[str], exercise: str, nodes: Sequence[ast.stmt]) -> list[str]:
    """Return what an answer names although it is forbidden, such as "torch.nn.functional.batch_norm".

    Args:
        rules: the names of rules.
        exercise: the id of the exercise.
        nodes: the statements that the answer needs.
    """
    forbidden = forbidden_calls(rules, exercise)
    if not forbidden:
        return []
    everything = [one for node in nodes for one in ast.walk(node)]
    imported = dict(pair for one in everything for pair in _imported(one))
    own = {one.name for one in everything if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    found = []
    for one in everything:
        if isinstance(one, ast.Name | ast.Attribute):
            start, path = _dotted(one)
            whole = ".".join([imported.get(start, ""), *path]).strip(".")
            last = whole.rpartition(".")[2]
            if last in forbidden and whole.startswith(_LIBRARIES):
                found.append(whole)
            elif path and path[-1] == "backward" and "backward" in forbidden - own and start not in imported:
                found.append("backward()")
    return found


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, each with the full name of what it stands for."""
    if isinstance(node, ast.Import):
        for one in node.names:
            yield (one.asname, one.name) if one.asname else (one.name.partition(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom):
        for one in node.names:
            yield one.asname or one.name, f"{node.module}.{one.name}"


def _dotted(node: ast.expr) -> tuple[str, list[str]]:
    """Return the name at the start of a chain of attributes, or "" if it starts with none; and the attributes."""
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.insert(0, node.attr)
        node = node.value
    return (node.id if isinstance(node, ast.Name) else ""), path


class Watch:
    """Context manager that notes calls of forbidden functions, however they were imported.

    Attributes:
        seen: their full names.
    """

    def __init__(self, rules: Sequence[str], exercise: str) -> None:
        self.seen: list[str] = []
        self._forbidden = forbidden_calls(rules, exercise)

    def __enter__(self) -> Self:
        if self._forbidden:
            sys.setprofile(self._look)
        return self

    def __exit__(self, *error: object) -> None:
        if self._forbidden:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            name, module = frame.f_code.co_name, str(frame.f_globals.get("__name__"))
            if name == "__init__":  # of a layer
                name = frame.f_code.co_qualname.split(".")[-2] if "." in frame.f_code.co_qualname else name
        elif event == "c_call":
            name, module = getattr(called, "__name__", ""), str(getattr(called, "__module__", None) or "torch")
        else:
            return
        if name in self._forbidden and module.startswith(_LIBRARIES):
            self.seen.append(f"{module}.{name}")
