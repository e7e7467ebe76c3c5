"""Leaving a model, and chance, as they were."""

import copy
from types import TracebackType
from typing import Self

from backlight.nn import Module


class Guard:
    """What happens inside `with Guard(model):` to parameters, buffers, gradients, modes and generators is undone.

    Args:
        model: the model.
    """

    def __init__(self, model: Module) -> None:
        self._model = model

    def __enter__(self) -> Self:
        model = self._model
        self._tensors = [*model.parameters(), *(buffer for _, buffer in model.named_buffers())]
        self._copies = [one.array.copy() for one in self._tensors]
        # a gradient may lie in a flat array, where the next would be written over it
        self._gradients = [(one._grad, None if one._grad is None else one._grad.copy()) for one in self._tensors]
        self._modes = [(module, vars(module).get("training")) for _, module in model.named_modules()]
        self._chance = [(rng, copy.deepcopy(rng.bit_generator.state)) for rng in model.generators()]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, array in zip(self._tensors, self._copies, strict=True):
            one.array[...] = array
        for one, (gradient, numbers) in zip(self._tensors, self._gradients, strict=True):
            if gradient is not None:
                gradient[...] = numbers
            one._grad = gradient
        for module, training in self._modes:
            if training is not None:
                module.training = training
            elif "training" in vars(module):  # it had that of its class
                del module.training
        for rng, state in self._chance:
            rng.bit_generator.state = state
