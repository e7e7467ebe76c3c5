"""`torch.nn.utils.rnn`: sequences of different lengths in one tensor."""

from collections.abc import Sequence

from backlight.autograd import Tensor, cat, stack
from backlight.core import ConfigError, ShapeError, missing
from backlight.core.arguments import shown
from backlight.torchlike.creation import full

__all__ = ["pad_sequence"]

__path__: list[str] = []  # as of a package, so that an import of a name that is not there is explained
__getattr__ = missing.names_of("torch.nn.utils.rnn", missing.UTILS)


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Return sequences (T_i, ...) as one tensor (T, B, ...), where T is the longest length.

    Args:
        sequences: B tensors, alike in all axes but the first.
        batch_first: whether the result is (B, T, ...).
        padding_value: the elements that fill shorter sequences.
        padding_side: "right" or "left".

    Raises:
        ShapeError: no sequences, or other axes that differ.
        ConfigError: another `padding_side`.
    """
    if padding_side not in {"right", "left"}:
        raise ConfigError(f"padding_side must be 'right' or 'left'; got {shown(padding_side)}.")
    if not len(sequences):
        raise ShapeError("pad_sequence needs at least one sequence; got none.")
    longest = max(len(one) for one in sequences)
    padded = []
    for one in sequences:
        shape = (longest - len(one), *one.shape[1:])
        padding = full(shape, padding_value, dtype=one.array.dtype)
        padded.append(cat([padding, one] if padding_side == "left" else [one, padding]))
    return stack(padded, 0 if batch_first else 1)
