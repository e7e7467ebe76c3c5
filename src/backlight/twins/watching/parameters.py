"""The parameters in one recorded step: their numbers before it, the gradients, and how far they moved."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch

from backlight.core.measurements import ParameterFacts, ParameterRecord, Spread
from backlight.measuring import Block
from backlight.twins.watching.layers import Layer
from backlight.twins.watching.statistics import measure

_NO_MATRICES = {"norm", "batch_norm", "embedding"}


class Parameters:
    """A model's parameters under watch.

    Args:
        model: the model.
        layers: its layers by module.
    """

    def __init__(self, model: torch.nn.Module, layers: Mapping[torch.nn.Module, Layer]) -> None:
        named = {name: one for name, one in model.named_parameters() if not torch.nn.parameter.is_lazy(one)}
        self.names = list(named)
        self.tensors = list(named.values())
        owners = {id(one): module for module in model.modules() for one in module.parameters(recurse=False)}
        self._roles = [_role(layers.get(owners[id(one)])) for one in self.tensors]
        self._matrices = [_is_matrix(*pair) for pair in zip(self.tensors, self._roles, strict=True)]
        self._fans = [_fan_in(one, owners[id(one)]) for one in self.tensors]
        self._sparse = [False] * len(self.tensors)
        self.reached: set[int] | None = None
        self._maybe_identical = set(self._weights())
        self._before: list[torch.Tensor] | None = None
        self._template = self._wishes(histogram=False)
        self._gradient_template = self._wishes(histogram=True)
        self.clear()

    def _wishes(self, *, histogram: bool) -> Block:
        block = Block(len(self.tensors))
        for at, one in enumerate(self.tensors):
            block.want(at, one.numel(), histogram=histogram and self._matrices[at])
        return block

    def _weights(self) -> Iterable[int]:
        return (at for at, matrix in enumerate(self._matrices) if matrix and self.tensors[at].shape[0] > 1)

    def clear(self) -> None:
        """Forget the step before."""
        self.data: Block | None = None
        self.gradients: dict[int, tuple[Block, int]] = {}
        self.identical: dict[int, bool] = {}
        self.update: Block | None = None

    # -- in the step ---------------------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Measure the parameters as they are before the step, and keep a copy to tell how far they move."""
        tensors = [one.detach() for one in self.tensors]
        if self._before is None or any(
            kept.shape != one.shape or kept.device != one.device
            for kept, one in zip(self._before, tensors, strict=True)
        ):
            self._before = [torch.empty_like(one) for one in tensors]
        if tensors:
            torch._foreach_copy_(self._before, tensors)
        self.data = self._template.fresh()
        measure(self.data, tensors)
        self.identical = {at: at in self._maybe_identical and _identical(tensors[at]) for at in self._weights()}
        self._maybe_identical = {at for at, identical in self.identical.items() if identical}

    def read_gradients(self, of: Iterable[int] | None = None, scale: float = 1.0) -> None:
        """Measure the gradients as they are.

        Args:
            of: which parameters; None for all that have not been read yet.
            scale: what the gradients are multiplied with, and are divided by.
        """
        places = range(len(self.tensors)) if of is None else of
        found = {at: one for at in places if at not in self.gradients and (one := self.tensors[at].grad) is not None}
        if not found:
            return
        for at, one in found.items():
            if one.is_sparse:
                self._sparse[at] = True
                found[at] = one.to_dense()
        dense = list(found.values()) if scale == 1 else [one / scale for one in found.values()]
        block = self._gradient_template.fresh()
        if len(found) < len(self.tensors):
            block.rows = block.rows[list(found)]
        measure(block, dense)
        self.gradients |= {at: (block, row) for row, at in enumerate(found)}

    def read_update(self) -> None:
        """Measure how far the parameters are from where they were remembered."""
        if self._before is not None and self.data is not None:
            self.update = self._template.fresh()
            measure(self.update, [one.detach() for one in self.tensors], self._before)

    def left_over(self, of: set[int] | None) -> float:
        """Return the norm of the gradients that the parameters have now; 0 if any of these has none.

        Args:
            of: which parameters, by id: those that an optimiser zeroes; None for all.
        """
        meant = [one for one in self.tensors if one.requires_grad and (of is None or id(one) in of)]
        gradients = [one.grad for one in meant if one.grad is not None and not one.grad.is_sparse]
        if not gradients or len(gradients) < len(meant):
            return 0.0
        with torch.no_grad():
            norms = torch.stack([norm.cpu() for norm in torch._foreach_norm(gradients)]).double()
        return 0.0 if bool((norms == 0).any()) else float(torch.linalg.vector_norm(norms))

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def sealed(self) -> "ParameterNumbers":
        """Return what was measured in this step."""
        return ParameterNumbers(self.names, self._matrices, self.data, self.gradients, self.identical, self.update)

    def facts(self, groups: Mapping[int, int] | None) -> tuple[ParameterFacts, ...]:
        """Return what is known of each.

        Args:
            groups: the number of each parameter's group in the optimiser, by id; None without an optimiser.
        """
        return tuple(
            ParameterFacts(
                name=name,
                layer=name.rpartition(".")[0],
                shape=tuple(one.shape),
                weight_matrix=self._matrices[at],
                table=self._roles[at] == "embedding",
                fan_in=self._fans[at] if self._matrices[at] else None,
                requires_grad=one.requires_grad,
                in_optimiser=None if groups is None else id(one) in groups,
                group=None if groups is None else groups.get(id(one)),
                reached=None if self.reached is None else id(one) in self.reached,
                sparse=self._sparse[at],
                dtype=str(one.dtype).removeprefix("torch."),
            )
            for at, (name, one) in enumerate(zip(self.names, self.tensors, strict=True))
        )


class ParameterNumbers:
    """What was measured on the parameters in one step, as yet in the arrays."""

    def __init__(
        self, names: list[str], matrices: list[bool], data: Block | None, gradients: dict[int, tuple[Block, int]],
        identical: dict[int, bool], update: Block | None,
    ) -> None:  # fmt: skip
        self._names = names
        self._matrices = matrices
        self._data = data
        self._gradients = gradients
        self._identical = identical
        self._update = update

    def gradient_norm(self) -> float | None:
        """Return the norm of all gradients together; None if there are none."""
        if not self._gradients:
            return None
        rows = [block.rows[at] for block, at in self._gradients.values()]
        squares = [float(row["size"]) * float(row["rms"]) ** 2 for row in rows]
        return math.sqrt(sum(squares)) if all(map(math.isfinite, squares)) else math.nan

    def first_nonfinite(self) -> str | None:
        """Return the first parameter that was not finite before the step."""
        if self._data is None:
            return None
        strange = np.flatnonzero(self._data.rows["nonfinite"])
        return self._names[strange[0]] if len(strange) else None

    def gradient_nonfinite(self) -> list[str]:
        """Return the parameters whose gradients are not finite."""
        return [self._names[at] for at, (block, row) in self._gradients.items() if block.rows["nonfinite"][row]]

    def update_nonfinite(self) -> str | None:
        """Return the first parameter that the step left not finite."""
        if self._update is None:
            return None
        strange = np.flatnonzero(self._update.rows["nonfinite"])
        return self._names[strange[0]] if len(strange) else None

    def records(self) -> tuple[ParameterRecord, ...]:
        """Return them as records."""
        return () if self._data is None else tuple(self._record(at, self._data) for at in range(len(self._names)))

    def _record(self, at: int, data: Block) -> ParameterRecord:
        row, own = data.rows[at], self._gradients.get(at)
        gradient: Spread | None = None
        ratio = faint = None
        if own is not None:
            block, place = own
            gradient = block.spread(place)
            ratio = _quotient(block.rows[place], row)
            faint = int(block.rows["faint"][place]) / max(1, int(row["size"]))
        change = None if self._update is None else self._update.rows[at]
        return ParameterRecord(
            name=self._names[at],
            data=data.spread(at),
            gradient=gradient,
            grad_to_data=ratio,
            update_to_data=None if change is None else _quotient(change, row),
            moved=None if change is None else bool(change["least"] != 0 or change["most"] != 0),
            identical_units=self._identical.get(at),
            faint=faint,
        )


def _quotient(above: "np.void", below: "np.void") -> float:
    return float(above["std"]) / float(below["std"]) if below["std"] > 0 else math.nan


def _identical(weight: torch.Tensor) -> bool:
    """Return whether all output units have the same weights."""
    return torch.equal(weight[0], weight[1]) and bool((weight == weight[:1]).all())


def _role(layer: Layer | None) -> str:
    return "other" if layer is None else layer.kind.role


def _is_matrix(parameter: torch.Tensor, role: str) -> bool:
    if parameter.ndim < 2 or role in _NO_MATRICES:
        return False
    # a loose parameter of one row, such as a class token, is added and multiplies nothing
    return role != "other" or parameter.shape[0] > 1


def _fan_in(parameter: torch.Tensor, owner: torch.nn.Module) -> int | None:
    if parameter.ndim < 2:
        return None
    outputs = 1 if isinstance(owner, torch.nn.modules.conv._ConvTransposeNd) else 0
    return parameter.numel() // parameter.shape[outputs]
