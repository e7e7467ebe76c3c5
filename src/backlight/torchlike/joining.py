"""Functions of several tensors: joining, sums of products, grids and triangles."""

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from backlight.autograd import Tensor, apply, as_array, as_tensor, cat, ops
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError, ShapeError
from backlight.core.arguments import shown
from backlight.torchlike._new import dtype_or, new_tensor


def hstack(tensors: Sequence[Any]) -> Tensor:
    """Return tensors joined along axis 1; tensors with one axis along axis 0."""
    parts = [as_tensor(part) if as_tensor(part).ndim else as_tensor(part).view(1) for part in tensors]
    return cat(parts, 0 if parts and parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Any]) -> Tensor:
    """Return tensors joined along axis 0; a tensor with one axis is a row."""
    return cat([part.view(1, -1) if part.ndim < 2 else part for part in map(as_tensor, tensors)], 0)


def addmm(input: Operand, mat1: Operand, mat2: Operand, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta input + alpha mat1 @ mat2, for matrices (N, I) and (I, O)."""
    product = as_tensor(mat1).mm(as_tensor(mat2))
    total = as_tensor(input) * beta + product * alpha if (beta, alpha) != (1, 1) else as_tensor(input) + product
    return Tensor._named("Addmm", total)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Return a sum of products by a formula of letters, such as `einsum("bik,bkj->bij", a, b)`.

    Args:
        equation: a letter for each axis of each operand, and those of the result; "..." stands for further axes.
        operands: the tensors, or one list of them.

    Raises:
        ConfigError: not such a formula, or a letter twice in one operand.
        ShapeError: lengths that do not fit.
    """
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    factors = [as_tensor(one) for one in given]
    letters, result = _letters(equation, [factor.ndim for factor in factors])
    kind = np.result_type(*(factor.array for factor in factors))
    factors = [factor.to(kind) for factor in factors]
    return apply(ops.EinSum, *factors, letters=letters, result=result)


def _letters(equation: str, ranks: list[int]) -> tuple[tuple[str, ...], str]:
    """Return the letters of each operand and of the result; "..." becomes letters too."""
    rule = "einsum needs a formula such as 'ij,jk->ik', with a letter for each axis"
    if not isinstance(equation, str):
        raise ConfigError(f"{rule}; got {shown(equation)}.")
    left, arrow, right = equation.replace(" ", "").partition("->")
    sides = left.split(",")
    free = [letter for letter in ascii_letters if letter not in equation]
    most = max((rank - len(side.replace("...", "")) for side, rank in zip(sides, ranks, strict=False) if "..." in side),
               default=0)  # fmt: skip
    further = "".join(free[:most])
    named = []
    for side, rank in zip(sides, ranks, strict=False):
        own = rank - len(side.replace("...", ""))
        named.append(side.replace("...", further[most - own :] if own else ""))
    if not arrow:
        joined = "".join(named)
        right = "..." + "".join(sorted({x for x in joined if joined.count(x) == 1} - set(further)))
    result = right.replace("...", further)
    fits = len(sides) == len(ranks) and all(len(own) == rank for own, rank in zip(named, ranks, strict=True))
    if not fits or any(len(set(own)) < len(own) for own in (*named, result)) or not set(result) <= set("".join(named)):
        raise ConfigError(f"{rule}, and none twice in one operand; got {equation!r} for {ranks} axes.")
    return tuple(named), result


def tensordot(a: Operand, b: Operand, dims: Any = 2) -> Tensor:
    """Return the sum of products over the last `dims` axes of a and the first of b, or over two lists of axes."""
    x, y = as_tensor(a), as_tensor(b)
    first = list(range(x.ndim - dims, x.ndim)) if isinstance(dims, int) else [x._axis(one) for one in dims[0]]
    second = list(range(dims)) if isinstance(dims, int) else [y._axis(one) for one in dims[1]]
    names = ascii_letters[: x.ndim]
    others = list(ascii_letters[x.ndim : x.ndim + y.ndim])
    for i, j in zip(first, second, strict=True):
        others[j] = names[i]
    kept = [n for i, n in enumerate(names) if i not in first] + [n for j, n in enumerate(others) if j not in second]
    return einsum(f"{names},{''.join(others)}->{''.join(kept)}", x, y)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return the coordinates of all points of a grid: for each (N_i,), a tensor (N_1, N_2, ...).

    Args:
        tensors: the coordinates along each axis, or one list of them.
        indexing: "ij", or "xy" to swap the first two axes.
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if indexing not in {"ij", "xy"}:
        raise ConfigError(f"indexing must be 'ij' or 'xy'; got {shown(indexing)}.")
    axes = [as_tensor(one).view(-1) for one in given]
    shape = [len(one) for one in axes]
    grids = [one.view(*(-1 if at == i else 1 for at in range(len(axes)))).expand(*shape) for i, one in enumerate(axes)]
    return tuple(grid.transpose(0, 1) for grid in grids) if indexing == "xy" and len(axes) > 1 else tuple(grids)


def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all tuples with one element of each tensor (N_i,), as rows."""
    rows = [grid.reshape(-1) for grid in meshgrid(*tensors)]
    return rows[0] if len(rows) == 1 else Tensor._named("Stack", cat([row.unsqueeze(1) for row in rows], 1))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the indices of the lower triangle of a (row, col) matrix, (2, N)."""
    return new_tensor(np.array(np.tril_indices(row, offset, col), dtype_or(dtype, np.int64)), device=device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the indices of the upper triangle of a (row, col) matrix, (2, N)."""
    return new_tensor(np.array(np.triu_indices(row, offset, col), dtype_or(dtype, np.int64)), device=device)


def where(condition: Operand, input: Any = None, other: Any = None) -> Any:
    """Return the elements of `input` where the condition is true, and of `other` elsewhere; or where it is true.

    Args:
        condition: (...) booleans; broadcast.
        input: (...) elements, or a number.
        other: (...) elements, or a number.

    Raises:
        ShapeError: shapes that cannot be broadcast.
    """
    from backlight.autograd import where as chosen

    if input is None and other is None:
        return as_tensor(condition).nonzero(as_tuple=True)
    if input is None or other is None:
        raise ShapeError("where takes a condition alone, or a condition and two tensors; got two arguments.")
    return chosen(condition, input, other)


def std_mean(input: Operand, dim: Any = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return the standard deviation and the mean over all axes, or over `dim`."""
    return as_tensor(input).std(dim, keepdim), as_tensor(input).mean(dim, keepdim)


def var_mean(input: Operand, dim: Any = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean over all axes, or over `dim`."""
    return as_tensor(input).var(dim, keepdim), as_tensor(input).mean(dim, keepdim)


def is_floating_point(input: Operand) -> bool:
    """Return whether the elements are floats."""
    return as_array(input).dtype.kind == "f"
