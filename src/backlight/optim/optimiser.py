"""The base class of the optimisers: flat parameters and gradients, a learning rate, and a state to save."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from backlight.autograd import as_array
from backlight.autograd.flat import FlatParameters
from backlight.autograd.tensor import Tensor
from backlight.autograd.writes import WRITES
from backlight.core import Array, ConfigError, FloatArray
from backlight.core.arguments import check_flag, check_number, shown


class Optimiser:
    """The base class of the optimisers.

    Args:
        parameters: the tensors to train, of any shape, whose values are moved into one flat array (P,); or that array.
        lr: learning rate; may be changed before every step.
        weight_decay: strength of the weight decay.
        decay_vectors: whether biases, gains and other tensors with one axis decay too, as in PyTorch.

    Raises:
        ConfigError: a negative number, or parameters that cannot share an array: different dtypes, or a duplicate.
    """

    buffers: tuple[str, ...] = ()
    """The attributes that make up the state, together with `steps`: flat arrays (P,)."""

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
            self._hooks = tuple(other for other in self._hooks if other is not hook)

        return remove

    def step(self) -> None:
        """Update the parameters once, with their present gradients."""
        for hook in self._hooks:
            hook()
        self.steps += 1
        self._update(self.flat.data, self.flat.gather())
        WRITES.record(self.flat.data)  # graphs from before this step can no longer be differentiated

    def _update(self, data: FloatArray, grad: FloatArray) -> None:
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: set them to None, or to 0 if `set_to_none` is false."""
        self.flat.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the state: the arrays `buffers`, (P,) each, and the number of steps, ()."""
        state: dict[str, Array] = {name: np.array(getattr(self, name)) for name in self.buffers}
        return {**state, "steps": np.array(self.steps)}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Restore the state.

        Args:
            state: the result of `state_dict()`: arrays (P,) and the number of steps, ().

        Raises:
            ConfigError: it belongs to another kind of optimiser or another model.
        """
        wanted = {*self.buffers, "steps"}
        if not isinstance(state, Mapping) or set(state) != wanted:
            given = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ConfigError(
                f"the state must have the keys {sorted(wanted)}; got {given}. Is it from another kind of optimiser?"
            )
        arrays = {name: as_array(state[name]) for name in wanted}
        for name in self.buffers:
            own = getattr(self, name)
            if own.shape != arrays[name].shape:
                raise ConfigError(f"{name} must have {own.size} elements, as the weights; got {arrays[name].size}.")
        steps = arrays["steps"]
        if steps.shape or steps.dtype.kind not in "iu" or steps < 0:
            raise ConfigError(f"steps must be a whole number, 0 or more; got {shown(state['steps'])}.")
        for name in self.buffers:
            getattr(self, name)[...] = arrays[name]
        self.steps = int(steps)


def _decaying(flat: FlatParameters, *, decay_vectors: bool) -> FloatArray | None:
    """Return (P,) with 1 where weight decay applies and 0 elsewhere; None if it applies everywhere."""
    if decay_vectors:
        return None
    parts = [np.full(tensor.array.size, tensor.array.ndim >= 2, flat.data.dtype) for tensor in flat.tensors]
    return np.concatenate(parts)
