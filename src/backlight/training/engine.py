"""Engines: what computes the steps of a training. All share batches, learning rates, evaluations and checkpoints.

The graph of tensors is the reference, the compiled program is compared with it (`compiled_step.py`), and PyTorch's
engine is in `torch_engine.py`. An engine may hold weights of its own: `pull` brings the run's state up to date with
them, and `push` does the opposite.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from backlight.core import Batch, ConfigError
from backlight.core.settings import check_settings, setting
from backlight.models import LanguageModel
from backlight.optim import clip_grad_norm, update_ema
from backlight.training.compiled_step import Stepper, threads_for
from backlight.training.config import MOST, TrainConfig
from backlight.training.evaluate import Evaluator, NativeEvaluator
from backlight.training.state import TrainState
from backlight.watch.adapter import Adapter
from backlight.watch.backlight_nn import BacklightAdapter


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """What computes a training. It is no part of a run's configuration: a run may be resumed by another engine.

    Args:
        engine: "native", compiled kernels where there are some; "graph", the graph of tensors; or "torch".
        device: the device of the torch engine; "auto" takes a GPU if there is one.
        micro_batch_size: the torch engine computes at most this many examples at a time in each process, and adds up
            the gradients of a minibatch; None computes all at once.
        shard: the torch engine divides weights, gradients and the optimiser's state among the processes.

    Raises:
        ConfigError: a setting of the wrong type or out of range, or of another engine.
    """

    engine: Literal["native", "graph", "torch"] = setting(
        "What computes the steps: compiled kernels, the graph of tensors, or PyTorch.", default="native",
        remedy="Leave it out for native.",
    )  # fmt: skip
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "With --engine torch: the device. auto takes a GPU if there is one.", default="auto", remedy="Try auto."
    )
    micro_batch_size: int | None = setting(
        "With --engine torch: examples computed at a time in each process; gradients are added up to the minibatch.",
        default=None, at_least=1, at_most=MOST, remedy="Leave it out to compute a minibatch at once.",
    )  # fmt: skip
    shard: bool = setting(
        "With several processes: divide weights, gradients and the optimiser's state among them (FSDP2).",
        default=False, remedy="Leave it out.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)
        given = {"device": self.device != "auto", "micro_batch_size": self.micro_batch_size is not None}
        given["shard"] = self.shard
        others = [name for name, is_given in given.items() if is_given]
        if others and self.engine != "torch":
            raise ConfigError(
                f"{' and '.join(others)} is for the engine torch; got it with {self.engine}. Leave it out, or choose "
                "the engine torch."
            )


class Parts(Protocol):
    """What an engine has divided among the processes of a group; all of them must call each method."""

    @property
    def layout(self) -> Sequence[tuple[str, int, bool]]:
        """For each parameter, in Backlight's order: its name in the files, its rows, whether it is transposed there."""

    @property
    def taken(self) -> int:
        """The number of steps that the optimiser has taken."""

    def save_parts(self, folder: Path) -> None:
        """Write a checkpoint's arrays, each process its part.

        Raises:
            OSError: a file cannot be written.
        """

    def load_parts(self, folder: Path, *, taken: int) -> None:
        """Read them, and go on after so many steps.

        Raises:
            OSError, ValueError: the files cannot be read, or are damaged.
        """


class Engine(Protocol):
    """Computes the steps of a training. The order of calls in a step: `forward`, `backward`, `update`.

    Attributes:
        end: the loss of the last batch with its graph, to be recorded; None if there is none.
        adapter: shows the network to whatever records its training.
        optimisers: those that step it.
        calls_modules: whether a step calls the network's modules, and so their hooks, without being asked.
        parts: what is divided among processes; None if each holds everything.
    """

    calls_modules: bool

    @property
    def parts(self) -> Parts | None:
        """See the class."""

    @property
    def optimisers(self) -> Sequence[Any]:
        """See the class."""

    @property
    def end(self) -> Any:
        """See the class."""

    @property
    def adapter(self) -> Adapter:
        """See the class."""

    def running(self) -> AbstractContextManager[Any]:
        """Return the context manager in which the engine computes, on as many threads as configured."""

    def forward(self, batch: Batch, step: int) -> float:
        """Return this process's part of the loss of a batch, in nats per target of the whole batch."""

    def backward(self) -> None:
        """Compute the gradients of the last batch."""

    def update(self, lr: float, ema_decay: float | None) -> None:
        """Clip the gradients, step the optimiser with this learning rate, and update the average, if there is one."""

    def pull(self) -> None:
        """Bring the run's state up to date."""

    def push(self) -> None:
        """Take over the run's state, which has been restored."""

    def evaluator(self, model: LanguageModel) -> Evaluator:
        """Return what computes losses with the present weights of a model."""


class NativeEngine:
    """Compiled kernels where there are some, otherwise the graph; see `Stepper`.

    Args:
        state: what is trained.
        config: the training settings.
        native: whether compiled kernels may be used.
    """

    calls_modules = False
    parts = None

    def __init__(self, state: TrainState, config: TrainConfig, *, native: bool = True) -> None:
        self._state, self._config = state, config
        self._native = native
        self._stepper = Stepper(state.model, native=native)
        self._optimiser = state.optimiser
        self.optimisers = [state.optimiser]
        self._adapter = BacklightAdapter(state.model)

    @property
    def adapter(self) -> Adapter:
        """Shows the network to whatever records its training."""
        return self._adapter

    @property
    def end(self) -> Any:
        """The loss of the last batch with its graph; None if there is none."""
        return self._stepper.end

    def running(self) -> AbstractContextManager[Any]:
        """Return the limit of threads."""
        return threads_for(self._state.model, self._config.threads, native=self._native)

    def forward(self, batch: Batch, step: int) -> float:
        """Return the loss of a batch, in nats per target."""
        del step
        return self._stepper.forward(batch)

    def backward(self) -> None:
        """Compute the gradients of the last batch."""
        self._stepper.backward()

    def update(self, lr: float, ema_decay: float | None) -> None:
        """Clip the gradients, step the optimiser, and update the average."""
        if self._config.grad_clip is not None:
            clip_grad_norm(self._state.flat, self._config.grad_clip)
        self._optimiser.lr = lr
        self._optimiser.step()
        if self._state.ema is not None and ema_decay is not None:
            update_ema(self._state.ema, self._state.flat.data, ema_decay)

    def pull(self) -> None:
        """Do nothing: this engine changes the state itself."""

    def push(self) -> None:
        """Do nothing: this engine reads the state itself."""

    def evaluator(self, model: LanguageModel) -> Evaluator:
        """Return what computes losses with compiled kernels."""
        return NativeEvaluator(model)
