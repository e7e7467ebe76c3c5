"""The engine of a configuration."""

import numpy as np

from backlight.core import ConfigError
from backlight.models.neural import NeuralModel
from backlight.training.config import RunConfig, TrainConfig
from backlight.training.engine import Engine, EngineConfig, NativeEngine
from backlight.training.group import ProcessGroup
from backlight.training.state import TrainState


def check_engine(engine: EngineConfig, network: NeuralModel | None, group: ProcessGroup, config: RunConfig) -> None:
    """Check that an engine can train a network, before anything is written.

    Args:
        engine: the configuration.
        network: the network; None for an n-gram model.
        group: the processes that train together.
        config: the configuration of the run.

    Raises:
        ConfigError: it cannot; see `TorchEngine`.
        TorchMissingError: PyTorch is not installed.
    """
    if network is None:
        if engine.engine != "native":
            raise ConfigError(
                f"the engine {engine.engine} trains networks; an n-gram model is counted. Leave engine out, or choose "
                "another model."
            )
    elif engine.engine == "torch":
        from backlight.training.torch_engine import check_torch_engine

        check_torch_engine(engine, network, group, config)


def engine_of(
    engine: EngineConfig,
    state: TrainState,
    config: TrainConfig,
    *,
    rng: np.random.Generator,
    seed: int,
    group: ProcessGroup,
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
