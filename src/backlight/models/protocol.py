"""What the loop, the sampler and the scorer need of a model, whether it counts or multiplies."""

from typing import Any, Literal, Protocol

from backlight.core import Array, FloatArray, IntArray

Reads = Literal["windows", "sequences"]


class LanguageModel(Protocol):
    """A distribution over the next character, given the ones before it."""

    @property
    def config(self) -> Any:
        """The frozen configuration that the model was made from."""

    @property
    def vocabulary_size(self) -> int:
        """V, the boundary included."""

    @property
    def context(self) -> int:
        """How many characters back the model looks at most, T."""

    @property
    def reads(self) -> Reads:
        """Which batches the model takes: x (B, T) with y (B,), or with y (B, T)."""

    def num_parameters(self) -> int:
        """How many numbers the model has learnt or counted."""

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character after each row; no graph. Log probabilities are logits too."""

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) for each target, in y's shape, in nats; 0 where y is `NOT_A_TARGET`."""

    def state_dict(self) -> dict[str, Array]:
        """Return what was learnt, by name."""

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take back what `state_dict` gave."""
