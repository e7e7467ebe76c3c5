"""What all optimisers share: one flat array of parameters, one flat gradient, a learning rate, a state to save."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from backlight.autograd import as_array
from backlight.autograd.flat import FlatParameters
from backlight.autograd.tensor import Tensor
from backlight.core import Array, ConfigError, FloatArray
from backlight.core.arguments import check_flag, check_number, shown


class Optimiser:
    """Moves parameters against their gradients.

    Args:
        parameters: the tensors to learn (their numbers move into one flat array), or that flat array itself.
        lr: learning rate, the step's length per gradient; may be set anew before every step.
        weight_decay: pull towards 0.
        decay_vectors: whether biases, gains and other tensors of one axis are pulled too, as in PyTorch.

    Raises:
        ConfigError: a negative number, or parameters that do not go together.
    """

    buffers: tuple[str, ...] = ()
    """The attributes that, with `steps`, make up the state: flat arrays like the parameters."""

    def __init__(
        self, parameters: Iterable[Tensor] | FlatParameters, *, lr: float, weight_decay: float, decay_vectors: bool
    ) -> None:
        check_number(0, lr=lr, weight_decay=weight_decay)
        check_flag(decay_vectors=decay_vectors)
        self.flat = FlatParameters.of(parameters)
        self.lr = lr
        self.weight_decay = weight_decay
        self.steps = 0
        self._decaying = _decaying(self.flat, decay_vectors=decay_vectors)
        self._scratch = np.empty_like(self.flat.data)
        self._hooks: tuple[Callable[[], None], ...] = ()

    def register_step_hook(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Call `hook()` before each step. Returns a function that removes the hook."""
        self._hooks = (*self._hooks, hook)

        def remove() -> None:
            self._hooks = tuple(one for one in self._hooks if one is not hook)

        return remove

    def step(self) -> None:
        """Change the parameters once, by the gradients that the last backward passes left."""
        for hook in self._hooks:
            hook()
        self.steps += 1
        self._update(self.flat.data, self.flat.gather())

    def _update(self, data: FloatArray, grad: FloatArray) -> None:
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients before the next backward pass: they become None, or 0 where `set_to_none` is false."""
        self.flat.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of everything that the next steps depend on besides parameters and settings."""
        state: dict[str, Array] = {name: np.array(getattr(self, name)) for name in self.buffers}
        return {**state, "steps": np.array(self.steps)}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Restore what `state_dict` returned. Raises ConfigError where it belongs to another optimiser or model."""
        wanted = {*self.buffers, "steps"}
        if not isinstance(state, Mapping) or set(state) != wanted:
            given = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ConfigError(
                f"this optimiser's state has {sorted(wanted)}; got {given}. Is it that of another kind of optimiser?"
            )
        arrays = {name: as_array(state[name]) for name in wanted}
        for name in self.buffers:
            own = getattr(self, name)
            if own.shape != arrays[name].shape:
                raise ConfigError(f"{name} has {own.size} numbers, one for each parameter; got {arrays[name].size}.")
        steps = arrays["steps"]
        if steps.shape or steps.dtype.kind not in "iu" or steps < 0:
            raise ConfigError(f"steps must be a whole number, 0 or more; got {shown(state['steps'])}.")
        for name in self.buffers:
            getattr(self, name)[...] = arrays[name]
        self.steps = int(steps)


def _decaying(flat: FlatParameters, *, decay_vectors: bool) -> FloatArray | None:
    """Return (P,) 1 where weight decay applies and 0 elsewhere; None if it applies everywhere."""
    if decay_vectors:
        return None
    parts = [np.full(tensor.array.size, tensor.array.ndim >= 2, flat.data.dtype) for tensor in flat.tensors]
    return np.concatenate(parts)
