"""The parameters in one recorded step: their numbers before it, the gradients, and how far they moved."""

from collections.abc import Iterable, Mapping

import torch

from backlight.watch import Block
from backlight.watch.parameters import ParameterNumbers
from backlight.watch.records import ParameterFacts
from backlight.watch.torch.layers import Layer
from backlight.watch.torch.optimisers import Optimisers
from backlight.watch.torch.statistics import measure

_NO_MATRICES = {"norm", "batch_norm", "embedding"}


class Parameters:
    """A model's parameters under watch.

    Args:
        model: the model.
        layers: its layers by module.
    """

    def __init__(self, model: torch.nn.Module, layers: Mapping[torch.nn.Module, Layer]) -> None:
        named = dict(model.named_parameters())
        self.names = list(named)
        self.tensors = list(named.values())
        owners = {id(one): module for module in model.modules() for one in module.parameters(recurse=False)}
        self._roles = [_role(layers.get(owners[id(one)])) for one in self.tensors]
        self._matrices = [_is_matrix(*pair) for pair in zip(self.tensors, self._roles, strict=True)]
        self._fans = [_fan_in(one, owners[id(one)]) for one in self.tensors]
        self._sparse = [False] * len(self.tensors)
        self.reached: set[int] | None = None
        self._with_units = [at for at, one in enumerate(self.tensors) if self._matrices[at] and one.shape[0] > 1]
        self._maybe_identical = set(self._with_units)
        count = len(self.tensors)
        # first the parameters, then their gradients, then how far they moved
        self._data, self._gradients, self._updates = 0, count, 2 * count
        self._size_up()
        self.clear()

    def _size_up(self) -> None:
        """Make room for parameters of these sizes."""
        self._shapes = [one.shape for one in self.tensors]
        self._before = [torch.empty_like(one, requires_grad=False) for one in self.tensors]
        self._template = Block(3 * len(self.tensors))
        for at, one in enumerate(self.tensors):
            for start in (self._data, self._gradients, self._updates):
                wanted = start == self._gradients and self._matrices[at]
                self._template.want(start + at, one.numel(), histogram=wanted)
        self._block: Block | None = None

    def clear(self) -> None:
        """Forget the step before."""
        self._block = None
        self._graded: set[int] = set()
        self._identical: dict[int, bool] = {}
        self._remembered = self._updated = False

    @property
    def block(self) -> Block:
        """Where the measurements of this step stand."""
        if self._block is None:
            self._block = self._template.fresh()
        return self._block

    # -- in the step ---------------------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Measure the parameters as they are before the step, and keep a copy to tell how far they move."""
        if [one.shape for one in self.tensors] != self._shapes:
            self._size_up()
        if self._remembered:  # once more: what was measured first is void
            self._block = None
        if self.tensors:
            measure(self.block, self.tensors, start=self._data, copies=self._before)
        self._remembered = True
        self._identical = dict.fromkeys(self._with_units, False)
        for at in self._maybe_identical:
            self._identical[at] = _identical(self.tensors[at].detach())
        if self._maybe_identical:
            self._maybe_identical = {at for at in self._maybe_identical if self._identical[at]}

    @property
    def remembered(self) -> bool:
        """Whether the parameters were measured in this step."""
        return self._remembered

    def read_gradients(self, of: Iterable[int] | None = None, scale: float = 1.0) -> None:
        """Measure the gradients as they are.

        Args:
            of: which parameters; None for all that have not been read yet.
            scale: what the gradients are multiplied with, and are divided by.
        """
        if of is None and len(self._graded) == len(self.tensors):
            return
        places = range(len(self.tensors)) if of is None else of
        found = {at: one for at in places if at not in self._graded and (one := self.tensors[at].grad) is not None}
        for at, one in found.items():
            if one.is_sparse:
                self._sparse[at] = True
                found[at] = one.to_dense()
        if scale != 1:
            found = {at: one / scale for at, one in found.items()}
        self._graded |= found.keys()
        if len(found) == len(self.tensors):
            measure(self.block, list(found.values()), start=self._gradients)
            return
        for at, one in found.items():
            measure(self.block, [one], start=self._gradients + at)

    def read_update(self) -> None:
        """Measure how far the parameters are from where they were remembered."""
        if self.tensors:
            measure(self.block, self.tensors, start=self._updates, less=self._before)
        self._updated = True

    def left_over(self, optimisers: Optimisers) -> float:
        """Return the norm of the gradients that the parameters have now; 0 if any of these has none.

        Args:
            optimisers: whose parameters are meant, since it is they who zero; all, if there are none.
        """
        if all(one.grad is None for one in self.tensors):
            return 0.0
        held = optimisers.group_of()
        meant = [one for one in self.tensors if one.requires_grad and (not held or id(one) in held)]
        gradients = [one.grad for one in meant if one.grad is not None and not one.grad.is_sparse]
        if not gradients or len(gradients) < len(meant):
            return 0.0
        with torch.no_grad():
            norms = torch.stack([norm.cpu() for norm in torch._foreach_norm(gradients)]).double()
        return 0.0 if bool((norms == 0).any()) else float(torch.linalg.vector_norm(norms))

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def sealed(self) -> "ParameterNumbers":
        """Return what was measured in this step."""
        return ParameterNumbers(
            self.names, self.block, self._graded, self._identical, remembered=self._remembered, updated=self._updated
        )

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
