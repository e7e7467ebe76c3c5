"""The engine of a configuration."""

import numpy as np

from backlight.training.config import TrainConfig
from backlight.training.engine import Engine, EngineConfig, NativeEngine
from backlight.training.group import Group
from backlight.training.state import TrainState


def engine_of(
    engine: EngineConfig, state: TrainState, config: TrainConfig, *, rng: np.random.Generator, seed: int, group: Group
) -> Engine:
    """Return the engine of a configuration. PyTorch is imported only for its own.

    Args:
        engine: the configuration.
        state: what is trained.
        config: the training settings.
        rng: the generator of the minibatches.
        seed: the seed of the run.
        group: the processes that train together.

    Raises:
        ConfigError: PyTorch is not installed, has no such device, or cannot train this model.
    """
    if engine.engine != "torch":
        return NativeEngine(state, config, native=engine.engine == "native")
    from backlight.training.torch_engine import TorchEngine

    return TorchEngine(engine, state, config, rng=rng, seed=seed, group=group)
