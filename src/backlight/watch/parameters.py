"""The parameters in one recorded step: their numbers before it, the gradients, and how far they moved."""

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backlight.watch.adapter import Adapter
from backlight.watch.calls import numel
from backlight.watch.layers import Layers
from backlight.watch.numbers import Block, Buffers, Layout
from backlight.watch.records import NotMeasured, ParameterFacts, ParameterRecord

SAMPLED: Final = 1 << 16
"""Of a parameter of more numbers, the change in a step is measured on evenly spaced ones: no copy of it is kept."""

_NO_MATRICES = frozenset({"norm", "batch_norm", "embedding"})

DATA, GRADIENT, UPDATE = range(3)
"""The parts of a block: first the parameters, then their gradients, then how far they moved."""


class Parameters:
    """A network's parameters under watch.

    Args:
        adapter: the network and its framework.
        layers: its layers.
        before: what they were before, if some were replaced.
        step: the step in which that was seen.

    Attributes:
        names, tensors: of those that can be measured, in the network's order.
        not_measured: the others, and why.
        remembered: whether they were measured before this step.
    """

    def __init__(
        self, adapter: Adapter, layers: Layers, *, before: "Parameters | None" = None, step: int | None = None
    ) -> None:
        self._adapter = adapter
        self._all = adapter.named_parameters()
        known = {} if before is None else {id(one): before._replaced.get(name) for name, one in before._all.items()}
        self._replaced: dict[str, int | None] = {name: known.get(id(one), step) for name, one in self._all.items()}
        self._copies: dict[str, str] | None = None if before is None else before._copies or {}
        self._swapped: set[str] = set()
        reasons = {name: adapter.why_not_measured(one) for name, one in self._all.items()}
        self.not_measured = tuple(
            NotMeasured(what=name, because=reason) for name, reason in reasons.items() if reason is not None
        )
        self.names = [name for name, reason in reasons.items() if reason is None]
        self.tensors = [self._all[name] for name in self.names]
        self._owners = {id(one): m for _, m in adapter.named_modules() for one in adapter.owned(m).values()}
        roles = {name: self._role(layers, one) for name, one in self._all.items()}
        self._tables = {name for name, role in roles.items() if role == "embedding"}
        self._matrices = {name for name, one in self._all.items() if _is_matrix(one.shape, roles[name])}
        self._sparse: set[int] = set()
        # matrices whose units have all had the same weights so far: once they differ, they are not compared again
        self._maybe_identical = [at for at, name in enumerate(self.names) if name in self._matrices]
        self._identical: dict[int, bool | None] = {}  # of the matrices, by place, as far as it was ever asked
        self._make_room()
        self.clear()

    def swapped(self) -> list[str]:
        """Return the parameters in whose place others stand now."""
        now = self._adapter.named_parameters()
        return [name for name, one in self._all.items() if now.get(name) is not one]

    def leave_out(self, names: Iterable[str]) -> None:
        """Measure these no more: the network does not use them."""
        self._swapped.update(names)
        self.names = [name for name in self.names if name not in self._swapped]
        self.tensors = [self._all[name] for name in self.names]
        self._maybe_identical = [at for at, name in enumerate(self.names) if name in self._matrices]
        self._identical = {}
        self._make_room()
        self.clear()

    def _role(self, layers: Layers, tensor: Any) -> str:
        layer = layers.by_module.get(self._owners.get(id(tensor)))
        return "other" if layer is None else layer.kind.role

    def _make_room(self) -> None:
        """Make room for parameters of these sizes."""
        count = len(self.tensors)
        self._shapes = [one.shape for one in self.tensors]
        sizes = [numel(one) for one in self.tensors]
        self._spacing = [_spacing(size, shape) for size, shape in zip(sizes, self._shapes, strict=True)]
        self._sampled = any(step > 1 for step in self._spacing)
        self._before = Buffers(() if self._sampled else map(self._adapter.copied, self.tensors))
        self._layout = Layout(3 * count)
        for at, (name, size) in enumerate(zip(self.names, sizes, strict=True)):
            self._layout.want(DATA * count + at, size)
            self._layout.want(GRADIENT * count + at, size, histogram=name in self._matrices)
            self._layout.want(UPDATE * count + at, -(-size // self._spacing[at]))
        self._block: Block | None = None

    def clear(self) -> None:
        """Forget the step before."""
        self._block = None
        self._graded: frozenset[int] = frozenset()
        self.remembered = self._updated = False

    @property
    def block(self) -> Block:
        """Where the measurements of this step stand."""
        if self._block is None:
            self._block = Block(self._layout)
        return self._block

    # -- in the step ---------------------------------------------------------------------------------------------------

    def remember(self, *, gradients: bool = False) -> None:
        """Measure the parameters as they are before the step, and copy what tells how far they move.

        Args:
            gradients: whether to measure their gradients at the same time.
        """
        if [one.shape for one in self.tensors] != self._shapes:
            self._make_room()
        if self.remembered:  # once more: what was measured first is void
            self._block = None
        self.remembered = True
        if self._maybe_identical:
            found = {at: self._adapter.identical_units(self.tensors[at]) for at in self._maybe_identical}
            self._identical = self._identical | found
            self._maybe_identical = [at for at, same in found.items() if same]
        if self._copies is None:
            self._copies = self._find_copies()
        values = list(self._values())
        if gradients:
            values += self._gradients(range(len(values)))
        if self._sampled:
            self._adapter.measure(self.block, values)
            self._before = Buffers(self._samples())
        elif values:
            self._adapter.measure(self.block, values, copies=self._before)

    def _find_copies(self) -> dict[str, str]:
        """Return the matrices that hold the same numbers as a table and are not that table, with the table's name."""
        by_name = dict(zip(self.names, self.tensors, strict=True))
        tables = {name: one for name, one in by_name.items() if name in self._tables}
        return {
            name: table
            for table, numbers in tables.items()
            for name, one in by_name.items()
            if name in self._matrices and one.shape == numbers.shape and self._adapter.equal(one, numbers)
        }

    def _gradients(self, wanted: Container[int]) -> list[Any]:
        """Return the gradients of some parameters, None for the others, and note that they are read."""
        found = [one if at in wanted else None for at, one in enumerate(self._adapter.gradients(self.tensors))]
        self._graded = self._graded.union([at for at, one in enumerate(found) if one is not None])
        return found

    def read_gradients(self, of: Sequence[int] | None = None, scale: float = 1.0) -> None:
        """Measure gradients as they are.

        Args:
            of: which parameters, also those that were read before; None for all that were not.
            scale: what the gradients are multiplied by, and are divided by.
        """
        count = len(self.tensors)
        known = self._graded
        if of is None and len(known) == count:
            return
        wanted = set(range(count)) - known if of is None else set(of)
        found = self._gradients(wanted)
        if scale != 1:
            found = [None if one is None else one / scale for one in found]
        for at in known & wanted:
            if found[at] is not None:
                self._wipe(GRADIENT * count + at)
        self._adapter.measure(self.block, found, start=GRADIENT * count)

    def _wipe(self, row: int) -> None:
        """Make a row ready to be measured once more."""
        block, bins = self.block, int(self._layout.rows[row]["bins"])
        block.broken -= bool(block.rows[row]["nonfinite"])
        block.rows[row] = np.zeros((), block.rows.dtype)
        if bins >= 0:
            block.bins[bins] = 0

    def read_update(self) -> None:
        """Measure how far the parameters are from where they were remembered."""
        if self.tensors and [one.shape for one in self.tensors] == self._shapes:
            now = self._samples() if self._sampled else self._values()
            self._adapter.measure(self.block, now, start=2 * len(self.tensors), less=self._before)
        self._updated = True

    def _values(self) -> Sequence[Any]:
        return self._adapter.values_of(self.tensors)

    def _samples(self) -> list[Any]:
        pairs = zip(self.tensors, self._spacing, strict=True)
        return [self._adapter.sampled(one, step) for one, step in pairs]

    def left_over(self, groups: Callable[[], Mapping[int, int]]) -> float:
        """Return the norm of the gradients that the parameters have now; 0 if any of these has none.

        Args:
            groups: returns whose parameters are meant, by id, since it is the optimiser that zeroes; all, if it is
                empty.
        """
        gradients = self._adapter.gradients(self.tensors)
        if all(one is None for one in gradients):
            return 0.0
        known = groups()
        meant = [
            gradient
            for one, gradient in zip(self.tensors, gradients, strict=True)
            if one.requires_grad and (not known or id(one) in known)
        ]
        return 0.0 if not meant or any(one is None for one in meant) else self._adapter.norm(meant)

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def measured(self) -> "ParametersMeasured":
        """Return what was measured in this step."""
        return ParametersMeasured(self.names, self.block, self._graded, self._identical, self.remembered, self._updated)

    def facts(self, groups: Mapping[int, int] | None, reached: set[int] | None) -> tuple[ParameterFacts, ...]:
        """Return what is known of each parameter, also of those that cannot be measured.

        Args:
            groups: the number of each parameter's group in the optimiser, by id; None without an optimiser.
            reached: ids of the parameters that the loss depends on; None if its graph was not seen.
        """
        adapter = self._adapter
        return tuple(
            ParameterFacts(
                name=name,
                layer=name.rpartition(".")[0],
                shape=tuple(one.shape),
                weight_matrix=name in self._matrices,
                table=name in self._tables,
                fan_in=adapter.fan_in(one, self._owners.get(id(one))) if name in self._matrices else None,
                requires_grad=one.requires_grad,
                in_optimiser=None if groups is None or name in self._swapped else id(one) in groups,
                group=None if groups is None else groups.get(id(one)),
                reached=None if reached is None or name in self._swapped else id(one) in reached,
                replaced=self._replaced[name],
                copy_of=(self._copies or {}).get(name, ""),
                sparse=adapter.is_sparse(one),
                dtype=str(one.dtype).removeprefix("torch."),
            )
            for name, one in self._all.items()
        )


@dataclass(frozen=True, slots=True)
class ParametersMeasured:
    """What was measured on the parameters in one step, as yet in the arrays.

    Attributes:
        names: of the parameters.
        block: where the measurements stand.
        graded: the places of those that have a gradient.
        identical: of those of which it is known, by place, whether all units have the same weights.
        remembered: whether they were measured before the step.
        updated: whether it was measured how far they moved.
    """

    names: Sequence[str]
    block: Block
    graded: frozenset[int]
    identical: Mapping[int, bool | None]
    remembered: bool
    updated: bool

    def _rows(self, part: int) -> Any:
        count = len(self.names)
        return self.block.rows[part * count : (part + 1) * count]

    def gradient_norm(self) -> float | None:
        """Return the norm of all gradients together; None if there are none."""
        if not self.graded:
            return None
        count = len(self.names)
        places = sorted(self.graded)
        sizes = self.block.layout.rows["size"][count : 2 * count][places]
        return math.sqrt(float(sizes @ self._rows(GRADIENT)["rms"][places] ** 2))

    @property
    def all_finite(self) -> bool:
        """Whether all that was measured is."""
        return not self.block.broken

    def nonfinite(self, part: int) -> list[str]:
        """Return the parameters of which `DATA`, `GRADIENT` or `UPDATE` is not finite."""
        return [self.names[at] for at in np.flatnonzero(self._rows(part)["nonfinite"]).tolist()]

    def records(self) -> tuple[ParameterRecord, ...]:
        """Return it as records."""
        return tuple(self._record(at) for at in range(len(self.names))) if self.remembered else ()

    def _record(self, at: int) -> ParameterRecord:
        count = len(self.names)
        data, gradient, change = (self._rows(part)[at] for part in (DATA, GRADIENT, UPDATE))
        graded = at in self.graded
        size = int(self.block.layout.rows["size"][at])
        return ParameterRecord(
            name=self.names[at],
            data=self.block.spread(at),
            gradient=self.block.spread(count + at) if graded else None,
            grad_to_data=_quotient(gradient, data) if graded else None,
            update_to_data=_quotient(change, data) if self.updated else None,
            moved=bool(change["least"] != 0 or change["most"] != 0)
            if self.updated and not change["nonfinite"]
            else None,
            identical_units=self.identical.get(at),
            faint=int(gradient["faint"]) / size if graded else None,
        )


def _spacing(size: int, shape: Any) -> int:
    """Return every how many numbers one is compared: of each row of a table some, and not always the same columns."""
    row = shape[-1] if shape else 1
    step = min(-(-size // SAMPLED), max(row, 1))
    while math.gcd(step, row) > 1:
        step -= 1
    return step


def _quotient(above: Any, below: Any) -> float:
    return float(above["std"]) / float(below["std"]) if below["std"] > 0 else math.nan


def _is_matrix(shape: Any, role: str) -> bool:
    if len(shape) < 2 or role in _NO_MATRICES:
        return False
    # a loose parameter of one row, such as a class token, is added and multiplies nothing
    return role != "other" or shape[0] > 1
