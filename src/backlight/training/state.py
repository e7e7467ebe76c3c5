"""What a training changes, in Backlight's layout, as a checkpoint holds it, whichever engine computes the steps."""

from collections.abc import Mapping

from backlight.core import Array, FloatArray, RunError
from backlight.models.neural import NeuralModel
from backlight.nn import former_names
from backlight.training.config import TrainConfig

RENAMED_ARRAYS = {"average": "ema"}
"""Arrays of a checkpoint by their names in Backlight 0.1."""


class TrainState:
    """Weights, their average, buffers, and the optimiser with its running means.

    Args:
        model: the network. Its parameters are moved into one flat array.
        config: the training settings, which say whether there is an average, and which optimiser.

    Attributes:
        model: the network.
        flat: its P parameters.
        optimiser: the optimiser.
        ema: (P,) the averaged parameters; None if there are none.
    """

    def __init__(self, model: NeuralModel, config: TrainConfig) -> None:
        self.model = model
        self.flat = model.flat()
        self.optimiser = config.build(model)
        self.ema: FloatArray | None = None if config.ema_decay is None else self.flat.data.copy()

    def _own(self) -> dict[str, Array]:
        """Return the arrays themselves, without the optimiser's."""
        own: dict[str, Array] = {"parameters": self.flat.data}
        if self.ema is not None:
            own["ema"] = self.ema
        return own | {f"buffer.{name}": buffer.array for name, buffer in self.model.named_buffers()}

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of a checkpoint by name: (P,) each, and buffers of any shape."""
        return self._own() | {f"optimiser.{name}": array for name, array in self.optimiser.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Restore what `arrays` returned.

        Raises:
            RunError, KeyError, ValueError: an array is missing, or is not of this model.
        """
        buffers = {f"buffer.{former}": f"buffer.{name}" for former, name in former_names(self.model).items()}
        renamed = RENAMED_ARRAYS | buffers
        left = {renamed.get(name, name): array for name, array in arrays.items()}
        for name, array in self._own().items():
            saved = left.pop(name)
            if saved.shape != array.shape or saved.dtype != array.dtype:
                raise RunError(
                    f"{name} must be {array.dtype} of shape {array.shape}; it is {saved.dtype} of shape {saved.shape}"
                )
            array[...] = saved
        self.optimiser.load_state_dict({name.removeprefix("optimiser."): array for name, array in left.items()})
