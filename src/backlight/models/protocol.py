"""The interface of a language model, as training, sampling and scoring use it."""

from typing import Any, Literal, Protocol

from backlight.core import Array, FloatArray, IntArray

Reads = Literal["windows", "sequences"]


class LanguageModel(Protocol):
    """A distribution over the next character, given the characters before it."""

    @property
    def config(self) -> Any:
        """The frozen configuration of the model."""

    @property
    def vocabulary_size(self) -> int:
        """V, including the boundary."""

    @property
    def context(self) -> int:
        """The maximum number of characters on which a prediction depends, T."""

    @property
    def reads(self) -> Reads:
        """The kind of batch: "windows", x (B, T) with y (B,), or "sequences", x (B, T) with y (B, T)."""

    def num_parameters(self) -> int:
        """Return the number of parameters or nonzero counts."""

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits, or log probabilities, of the character that follows each row, without a graph."""

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in the shape of y, (B,) or (B, T); 0 for `NOT_A_TARGET`."""

    def state_dict(self) -> dict[str, Array]:
        """Return the parameters or counts, arrays of any shape, by name."""

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Restore the arrays, of any shape, that `state_dict` returned."""
