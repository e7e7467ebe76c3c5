"""The optimisers of a PyTorch model: found by watching all optimisers step, so that they need not be named."""

import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from backlight.watch.records import OptimiserFacts, Setting

_SETTINGS: Final = (
    "lr", "momentum", "dampening", "weight_decay", "eps", "nesterov", "amsgrad", "maximize", "alpha", "rho",
    "lr_decay", "initial_accumulator_value",
)  # fmt: skip


@dataclass
class _Followed:
    """What is kept of an optimiser.

    Attributes:
        groups: the settings of its parameter groups, as they were when they were first seen.
        steps: how many it has taken.
    """

    groups: list[Mapping[str, Setting]]
    steps: int = 0


class TorchOptimisers:
    """The optimisers that have parameters of a model.

    Args:
        parameters: the model's.
        known: optimisers that are known beforehand.
        before: called before a step of one of them.
        after: called after it.

    Attributes:
        steps: steps that they took since `clear`.
    """

    def __init__(
        self, parameters: Iterable[torch.Tensor], known: Iterable[Any], *, before: Callable[[Any], None],
        after: Callable[[Any], None],
    ) -> None:  # fmt: skip
        self._parameters = {id(parameter): at for at, parameter in enumerate(parameters)}
        self._places: dict[int, tuple[int, list[int]]] = {}
        self._followed = {one: _Followed(_groups(one)) for one in known}
        self._replaced: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()  # the steps of each
        self._left = 0  # how many were replaced after a single step
        # which optimisers have no parameters of the model; those that are gone leave their ids to others
        self._others: weakref.WeakSet[Any] = weakref.WeakSet()
        self._before = before
        self._after = after
        self._handles: list[RemovableHandle] = []
        self.steps = 0

    @property
    def found(self) -> list[Any]:
        """The optimisers, in the order in which they were first seen; of several with the same parameters, the last."""
        return list(self._followed)

    def attach(self) -> None:
        """Begin to watch all of PyTorch's optimisers."""
        self._handles = [
            register_optimizer_step_pre_hook(self._about_to_step),
            register_optimizer_step_post_hook(self._has_stepped),
        ]

    def set_parameters(self, parameters: Iterable[torch.Tensor]) -> None:
        """Take in other parameters of the model."""
        self._parameters = {id(parameter): at for at, parameter in enumerate(parameters)}
        self._places = {}
        self._others = weakref.WeakSet()

    def detach(self) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def clear(self) -> None:
        """Count steps anew."""
        self.steps = 0

    def _is_of_the_model(self, optimiser: Any) -> bool:
        if optimiser in self._followed:
            return True
        if optimiser in self._others:
            return False
        held = (parameter for group in optimiser.param_groups for parameter in group["params"])
        if not any(id(parameter) in self._parameters for parameter in held):
            self._others.add(optimiser)
            return False
        self._replace_by(optimiser)
        return True

    def _replace_by(self, optimiser: Any) -> None:
        """Take in an optimiser, in place of those with the same parameters: their states would be kept alive."""
        places = self.places(optimiser)
        for one in [one for one in self._followed if self.places(one) == places]:
            steps = self._followed.pop(one).steps
            self._left += steps == 1
            self._replaced[one] = steps
            self._places.pop(id(one), None)
        steps = self._replaced.pop(optimiser, 0)  # two may take turns
        self._left -= steps == 1
        self._followed[optimiser] = _Followed(_groups(optimiser), steps)

    def _about_to_step(self, optimiser: Any, args: Any, kwargs: Any) -> None:
        del args, kwargs
        _uncompiled(self._begin)(optimiser)

    def _begin(self, optimiser: Any) -> None:
        if self._is_of_the_model(optimiser):
            self._before(optimiser)

    def _has_stepped(self, optimiser: Any, args: Any, kwargs: Any) -> None:
        del args, kwargs
        _uncompiled(self._end)(optimiser)

    def _end(self, optimiser: Any) -> None:
        if self._is_of_the_model(optimiser):
            self.steps += 1
            self._followed[optimiser].steps += 1
            self._after(optimiser)

    # -- what is known of them -----------------------------------------------------------------------------------------

    def rates(self) -> tuple[float, ...]:
        """Return the learning rate of each group, as it is now."""
        return tuple(float(group.get("lr", float("nan"))) for one in self._followed for group in one.param_groups)

    def places(self, optimiser: Any) -> list[int]:
        """Return which of the model's parameters an optimiser has, by their place in the model."""
        count = sum(len(group["params"]) for group in optimiser.param_groups)
        known, places = self._places.get(id(optimiser), (-1, []))
        if known != count:  # it is new, or a group was added
            held = (parameter for group in optimiser.param_groups for parameter in group["params"])
            places = sorted(self._parameters[id(one)] for one in held if id(one) in self._parameters)
            self._places[id(optimiser)] = count, places
        return places

    def group_of(self) -> dict[int, int]:
        """Return the number of each parameter's group by the parameter's id."""
        groups = [group for one in self._followed for group in one.param_groups]
        return {id(parameter): at for at, group in enumerate(groups) for parameter in group["params"]}

    def facts(self) -> OptimiserFacts | None:
        """Return what they were when they were first seen; None if there are none."""
        if not self._followed:
            return None
        for one, known in self._followed.items():  # groups may have been added
            known.groups += _groups(one)[len(known.groups) :]
        return OptimiserFacts(
            kind="+".join(type(one).__name__ for one in self._followed),
            groups=tuple(group for known in self._followed.values() for group in known.groups),
            foreign=sum(id_ not in self._parameters for id_ in self.group_of()),
            replaced=self._left,
        )


# where a step is compiled, the hooks run as they are, between the compiled parts
for _hook in (TorchOptimisers._about_to_step, TorchOptimisers._has_stepped):
    _hook._torchdynamo_disable = True  # type: ignore[attr-defined]


def _uncompiled(method: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a method that is not compiled, nor what it calls, when it is called by a step that is."""
    compiler = sys.modules.get("torch._dynamo")  # which takes a second to import, so it is left to who compiles
    return method if compiler is None else compiler.disable(method)


def _groups(optimiser: Any) -> list[Mapping[str, Setting]]:
    return [dict(_settings(group)) for group in optimiser.param_groups]


def _settings(group: Mapping[str, Any]) -> Iterable[tuple[str, Setting]]:
    for name in _SETTINGS:
        if name in group:
            value = group[name]
            yield name, float(value) if isinstance(value, torch.Tensor) else value
    for name, value in zip(("beta1", "beta2"), group.get("betas", ()), strict=False):
        yield name, float(value)
