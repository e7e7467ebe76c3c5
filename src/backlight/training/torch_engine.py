"""The torch engine: the steps of a training by PyTorch's ops and optimisers, from Backlight's weights and back.

What is trained is the model's form in `backlight.pytorch`. First weights, minibatches, learning rates, weight decay,
clipping and averaging are those of the other engines, up to rounding. Only the masks of dropout are other random
numbers: PyTorch's attention draws its own. Of the generator of the minibatches, as many numbers are skipped as other
engines draw masks, so that all read the same data in the same order.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backlight.core import Batch, ConfigError
from backlight.core.threads import limit_threads
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.nn import BatchNorm1d
from backlight.pytorch import TORCH_MODULES
from backlight.pytorch.sharding import check_shardable
from backlight.pytorch.stepping import TorchEvaluator, device_of, threads
from backlight.pytorch.torch_training import TorchTraining
from backlight.training.config import RunConfig, TrainConfig
from backlight.training.engine import EngineConfig, Parts
from backlight.training.evaluate import Evaluator, NativeEvaluator
from backlight.training.group import ProcessGroup
from backlight.training.state import TrainState
from backlight.watch.adapter import Adapter


class TorchEngine:
    """Steps by PyTorch; see the module. Weights, averages and the optimiser's state are copied by `pull` and `push`.

    Args:
        engine: the device, and how many examples are computed at a time.
        state: what is trained.
        config: the training settings.
        rng: the generator of the minibatches.
        seed: the seed of the run, from which the masks of dropout follow, with the step and the number of the process.
        group: the processes that train together.

    Raises:
        ConfigError: there is no such device, PyTorch has no form of this model, or the model has batch norms and its
            minibatches would be computed in parts.
    """

    calls_modules = True

    def __init__(
        self, engine: EngineConfig, state: TrainState, config: TrainConfig, *, rng: np.random.Generator, seed: int,
        group: ProcessGroup,
    ) -> None:  # fmt: skip
        self._state, self._config, self._rng, self._seed, self._group = state, config, rng, seed, group
        check_model(engine, state.model, group)
        self.device = device_of(engine.device, rank=group.rank)
        self._training = TorchTraining(
            state.model, state.optimiser, state.ema, device=self.device, most=engine.micro_batch_size,
            rank=group.rank, size=group.size, sharded=engine.shard,
        )  # fmt: skip
        self._is_sharded = engine.shard
        self.optimisers = self._training.optimisers
        self._evaluator: TorchEvaluator | None = None
        self._is_ahead = False  # of the run's state

    @cached_property
    def adapter(self) -> Adapter:
        """Shows the network to whatever records its training."""
        # takes seconds, for which a training that is not recorded need not wait
        from backlight.watch.torch_nn import adapter_for

        return adapter_for(self._training.module)

    @property
    def parts(self) -> Parts | None:
        """What is divided among the processes."""
        return self if self._is_sharded else None

    @property
    def end(self) -> Any:
        """The loss of the last examples with its graph."""
        return self._training.steps.end

    @contextmanager
    def running(self) -> Iterator[None]:
        """Compute on as many threads of the CPU as configured."""
        with limit_threads(self._config.threads), threads(self._config.threads):
            yield

    def forward(self, batch: Batch, step: int) -> float:
        """Return this process's share of the loss of a batch, in nats per target."""
        masks = self._state.model.masks_drawn(batch)
        skip(self._rng, masks)
        seeds = np.random.SeedSequence([self._seed, step, self._group.rank])
        return self._training.forward(batch, int(seeds.generate_state(1, np.uint64)[0] >> 1) if masks else None)

    def backward(self) -> None:
        """Compute the gradients of the last batch, summed over the processes."""
        self._training.steps.backward()

    def update(self, lr: float, ema_decay: float | None) -> None:
        """Clip the gradients, step the optimiser, and update the average."""
        self._training.update(lr, max_norm=self._config.grad_clip, ema_decay=ema_decay)
        self._is_ahead = True

    def pull(self) -> None:
        """Bring the run's state up to date, if a step was taken since: an evaluation and its checkpoint both ask."""
        if self._is_ahead:
            self._training.pull()
            self._is_ahead = False

    def push(self) -> None:
        """Take over the run's state."""
        self._training.push()
        self._is_ahead = False

    @property
    def layout(self) -> Sequence[tuple[str, int, bool]]:
        """See `Parts`."""
        return self._training.layout

    @property
    def taken(self) -> int:
        """See `Parts`."""
        return self._training.taken

    def save_parts(self, folder: Path) -> None:
        """See `Parts`."""
        self._training.save_parts(folder)

    def load_parts(self, folder: Path, *, taken: int) -> None:
        """See `Parts`."""
        self._training.load_parts(folder, taken=taken)
        self._is_ahead = True

    def evaluator(self, model: LanguageModel) -> Evaluator:
        """Return what computes losses with the present weights of the network, on the device."""
        if self._evaluator is None:
            self._evaluator = TorchEvaluator(self._state.model, self.device, sharded=self._is_sharded)
        return self._evaluator.load(self._state.model) if model is self._state.model else NativeEvaluator(model)


def torch_evaluator(engine: EngineConfig, model: NeuralModel, group: ProcessGroup) -> Evaluator:
    """Return what computes losses with the present weights of a network, on the device of an engine."""
    return TorchEvaluator(model, device_of(engine.device, rank=group.rank), sharded=engine.shard)


def skip(rng: np.random.Generator, count: int) -> None:
    """Leave a generator as if this many float32 numbers had been drawn from it.

    Two of them take one step of the bit generator, which keeps the second half for the next.
    """
    held = rng.bit_generator.state.get("has_uint32", 0)
    if count and held:
        rng.random(dtype=np.float32)
        count -= 1
    if count >= 2:
        rng.bit_generator.advance(count // 2)  # type: ignore[attr-defined]  # PCG64 has it
    if count % 2:
        rng.random(dtype=np.float32)


def check_torch_engine(engine: EngineConfig, model: NeuralModel, group: ProcessGroup, config: RunConfig) -> None:
    """Check a model and a device, and whether the training can be divided among processes if it is to be.

    Raises:
        ConfigError: see `check_model`; or it cannot be divided.
    """
    check_model(engine, model, group)
    if not engine.shard:
        return
    check_shardable()
    why = None
    if group.size == 1:
        why = "shard divides a model among several processes; there is one. Add --devices N, or leave shard out."
    elif config.train is not None and config.train.optimiser == "muon":
        why = "Muon needs whole matrices, which sharded processes do not have. Choose adamw, or leave shard out."
    elif config.watch_every is not None:
        why = (
            "recording needs whole weights and gradients, which sharded processes do not have; this run records every "
            f"{config.watch_every} steps. Leave shard out, or train a run without recording."
        )
    if why is not None:
        raise ConfigError(why)


def check_model(engine: EngineConfig, model: NeuralModel, group: ProcessGroup) -> None:
    """Check a model and a device.

    Raises:
        ConfigError: there is no such device, PyTorch has no form of the model, or the model has batch norms and would
            be given a part of a minibatch at a time.
    """
    device_of(engine.device, rank=group.rank)
    own = {type(module).__name__ for _, module in model.named_modules() if type(module) not in TORCH_MODULES}
    if own:
        raise ConfigError(
            f"the torch engine trains models of Backlight's layers; got {', '.join(sorted(own))}. Add an entry to "
            "backlight.pytorch.TORCH_MODULES, or leave engine out."
        )
    if group.size == 1 and engine.micro_batch_size is None:
        return
    if any(isinstance(module, BatchNorm1d) for _, module in model.named_modules()):
        how = f"{group.size} processes" if group.size > 1 else f"a micro_batch_size of {engine.micro_batch_size}"
        raise ConfigError(
            f"batch norm needs the statistics of the whole minibatch, which a part of it does not have; got {how}. "
            "Train in one process without micro_batch_size, or choose a model without batch norm."
        )
