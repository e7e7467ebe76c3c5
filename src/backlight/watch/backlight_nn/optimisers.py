"""The optimisers of a network of this package, which must be given: nothing finds them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from backlight.optim.optimiser import Optimiser
from backlight.watch.adapter import Remove
from backlight.watch.records import OptimiserFacts, Setting

_SETTINGS: Final = ("lr", "momentum", "weight_decay", "eps", "nesterov")


class BacklightOptimisers:
    """The optimisers of a network that were given.

    Args:
        parameters: the network's.
        known: the optimisers.
        before: called before a step of one of them.
    """

    def __init__(self, parameters: Sequence[Any], known: Iterable[Any], before: Callable[[Any], None]) -> None:
        self.found: list[Optimiser] = list(known)
        self.steps = 0
        self._own = {id(one): at for at, one in enumerate(parameters)}
        self._before = before
        self._removers: list[Remove] = []
        self._facts = [_facts_of(one) for one in self.found]

    def attach(self) -> None:
        self._removers = [one.register_step_hook(partial(self._about_to_step, one)) for one in self.found]

    def set_parameters(self, parameters: Sequence[Any]) -> None:
        self._own = {id(one): at for at, one in enumerate(parameters)}

    def detach(self) -> None:
        for remove in self._removers:
            remove()
        self._removers = []

    def clear(self) -> None:
        self.steps = 0

    def _about_to_step(self, optimiser: Optimiser) -> None:
        self.steps += 1
        self._before(optimiser)

    def rates(self) -> tuple[float, ...]:
        return tuple(one.lr for one in self.found)

    def places(self, optimiser: Any) -> Sequence[int]:
        return sorted(self._own[id(one)] for one in optimiser.flat.tensors if id(one) in self._own)

    def group_of(self) -> Mapping[int, int]:
        return {id(one): group for group, optimiser in enumerate(self.found) for one in optimiser.flat.tensors}

    def facts(self) -> OptimiserFacts | None:
        if not self.found:
            return None
        foreign = sum(id_ not in self._own for id_ in self.group_of())
        kinds = "+".join(type(one).__name__ for one in self.found)
        return OptimiserFacts(kind=kinds, groups=tuple(self._facts), foreign=foreign)


def _facts_of(optimiser: Optimiser) -> Mapping[str, Setting]:
    known = {name: getattr(optimiser, name) for name in _SETTINGS if hasattr(optimiser, name)}
    return {**known, **dict(zip(("beta1", "beta2"), getattr(optimiser, "betas", ()), strict=False))}
