"""What the watching mechanism asks of a framework. `backlight_nn` answers for this package, `torch_nn` for PyTorch."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self

from backlight.core import Array, ConfigError, FloatArray
from backlight.nn.kind import Kind
from backlight.watch.calls import Call, CallTaker, WatchedLayer
from backlight.watch.graph import Graph
from backlight.watch.records import OptimiserFacts, Probe, Setting
from backlight.watch.tensors import Tensors

Remove = Callable[[], None]


def _nothing() -> None:
    """Do nothing."""


LayerHook = Callable[[Any, Any, Any], None]
"""Takes a module, what it was called with, and what it returned."""

OnFunction = Callable[[str, tuple[Any, ...], Mapping[str, Any], Any], None]
"""Takes a function's name, its arguments, its keyword arguments, and what it returned."""


class Hook(partial[None]):
    """A hook on a module. A copy of the module, or the module in a file, has in its place one that does nothing."""

    def __reduce__(self) -> tuple[Any, ...]:
        # a method of the standard library that takes any arguments and returns None, so that loading needs no Backlight
        return getattr, (nullcontext(), "__exit__")


@dataclass(frozen=True, slots=True)
class LayerDescription:
    """What can be known of a layer without running it; for the entries see `LayerFacts`."""

    parameters: tuple[str, ...] = ()
    bias: bool | None = None
    fan_in: int | None = None
    fan_out: int | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch to examine a network with.

    Attributes:
        run: returns the network's output for the first input; None stands for the batch's own.
        loss: returns the loss of an output; None if there is none.
        args, kwargs: what the network is called with.
        x: the first input, (B, ...); None if no experiment can be made on it.
        y: the targets; None if they are not an array.
        others: further inputs that belong to the examples, by name.
        run_with: returns the network's output for another array in place of one of those.
        loss_at: returns the loss of an array in place of the network's output, what it returned being one tensor.
        tied: whether a further input says which rows of the first belong together, as the edges of a graph do.
    """

    run: Callable[[Array | None], Any]
    loss: Callable[[Any], Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    x: Array | None
    y: Array | None
    others: Mapping[str, Array] = field(default_factory=dict)
    run_with: Callable[[str, Array], Any] | None = None
    loss_at: Callable[[Any, FloatArray], float | None] | None = None
    tied: bool = False


class Optimisers(Protocol):
    """The optimisers that step a network's parameters."""

    steps: int
    """Steps taken since `clear`."""

    @property
    def found(self) -> list[Any]:
        """The optimisers."""

    def attach(self) -> None:
        """Begin to watch."""

    def set_parameters(self, parameters: Sequence[Any]) -> None:
        """Take in other parameters of the network, in place of those that it had."""

    def detach(self) -> None:
        """Stop watching."""

    def clear(self) -> None:
        """Count steps anew."""

    def rates(self) -> tuple[float, ...]:
        """Return the learning rate of each parameter group, as it is now."""

    def places(self, optimiser: Any) -> Sequence[int]:
        """Return which of the parameters an optimiser has, by their place."""

    def group_of(self) -> Mapping[int, int]:
        """Return the number of each parameter's group by the parameter's id."""

    def facts(self) -> OptimiserFacts | None:
        """Return what they were when they were first seen; None if there are none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that was given finite numbers and made one that is not.

    Attributes:
        name: its name, "sqrt".
        at: what it was given; see `NonFinite`.
        where: the layer whose output it read; empty if that is not known.
    """

    name: str
    at: str = ""
    where: str = ""


class Directions(Protocol):
    """What looks at the gradients of recurrent layers that read in both directions."""

    def watching(self) -> AbstractContextManager[None]:
        """Look at the passes that are made meanwhile."""

    def probes(self) -> list[Probe]:
        """Return what was seen."""


class Operations(Protocol):
    """What looks at every operation of a forward pass while it is open; see `Adapter.operations`.

    Attributes:
        where: returns the name of the layer that was run last.
    """

    where: Callable[[], str]

    def __enter__(self) -> Any:
        """Begin to look."""

    def __exit__(self, kind: object, error: object, trace: object, /) -> Any:
        """Look no more."""

    def forward(self) -> Operation | None:
        """Return the first operation of the pass whose result is not finite; None if all are."""

    def backward(self, result: Any, calls: Sequence[Call]) -> Operation | None:
        """Run a backward pass from the network's result and return the first whose gradient is not; None if all are."""


class Adapter(Tensors, Graph):
    """One network and its framework.

    Args:
        model: the network.
    """

    framework: ClassVar[Literal["backlight", "torch"]]
    in_place: ClassVar[bool]
    """Whether what a layer gave may be changed in place afterwards."""

    def __init__(self, model: Any) -> None:
        self.model = model

    # -- modules -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """Yield every module under each of its names."""

    @abstractmethod
    def named_parameters(self) -> dict[str, Any]:
        """Return every parameter once, by name."""

    @abstractmethod
    def owned(self, module: Any) -> Mapping[str, Any]:
        """Return a module's own parameters, without those of modules below it."""

    @abstractmethod
    def kind(self, module: Any) -> Kind:
        """Return what a module does."""

    @abstractmethod
    def is_layer(self, name: str, module: Any, kind: Kind) -> bool:
        """Return whether a module is watched as a layer."""

    @abstractmethod
    def describe(self, layer: WatchedLayer) -> LayerDescription:
        """Return what can be known of a layer's module without running it."""

    @abstractmethod
    def channel_axis(self, layer: WatchedLayer | None, shape: Sequence[int], inherited: int | None) -> int:
        """Return the axis of a layer's output that has its units.

        Args:
            layer: the layer; None for a function.
            shape: of the output.
            inherited: the axis of what it read; None if that is not known.
        """

    # -- parameters ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def gradients(self, parameters: Sequence[Any]) -> list[Any]:
        """Return the gradient of each as it stands there, for `measure`; None for one that has none."""

    @abstractmethod
    def norm(self, gradients: Sequence[Any]) -> float:
        """Return the norm of gradients together; 0 if one of them is all 0."""

    @abstractmethod
    def fan_in(self, parameter: Any, owner: Any) -> int | None:
        """Return how many numbers one output of a weight matrix is a sum of."""

    @abstractmethod
    def identical_units(self, weight: Any) -> bool | None:
        """Return whether all output units of a weight matrix have the same weights; None if there is only one."""

    @abstractmethod
    def equal(self, one: Any, other: Any) -> bool:
        """Return whether two parameters of one shape hold the same numbers, and not only zeros or ones."""

    @abstractmethod
    def optimisers(
        self, parameters: Sequence[Any], known: Iterable[Any], *, before: Callable[[Any], None],
        after: Callable[[Any], None],
    ) -> Optimisers:  # fmt: skip
        """Return the optimisers that have parameters of the network.

        Args:
            parameters: the network's.
            known: the optimisers that were given.
            before: called before a step of one of them.
            after: called after it.
        """

    @abstractmethod
    def check_optimisers(self, optimisers: Sequence[Any]) -> None:
        """Raise ConfigError if one of these is no optimiser of this framework."""

    def is_sparse(self, parameter: Any) -> bool:
        """Return whether a sparse gradient has been seen on a parameter."""
        del parameter
        return False

    def loss_scale(self) -> float | None:
        """Return what the loss is multiplied by before the backward pass; None if nothing does so."""
        return None

    def step_scale(self, optimiser: Any) -> float:
        """Return what an optimiser divides its gradients by as it steps."""
        del optimiser
        return 1.0

    def tables(self) -> Iterable[Mapping[str, Any]]:
        """Return the live tables that hold the modules and parameters, to see whether one was replaced."""
        return ()

    def on_accumulated(self, parameter: Any, hook: Callable[[Any], None]) -> Remove | None:
        """Call `hook(gradient)` when a backward pass has added to a parameter's gradient; None if that cannot be."""
        del parameter, hook
        return None

    @abstractmethod
    def looks_broken(self, parameters: Sequence[Any]) -> bool:
        """Return whether the first or the last gradient holds a number that is not finite, at next to no cost.

        What is not finite travels from the loss, or from where it arises, towards the input, until a ReLU stops it.
        """

    # -- hooks ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def is_recording(self) -> bool:
        """Return whether results of this moment have a graph."""

    @abstractmethod
    def hook_layer(self, layer: WatchedLayer, capture: CallTaker) -> Remove:
        """Let `capture.on_module` see each call of a layer's module."""

    @abstractmethod
    def is_parameter(self, tensor: Any) -> bool:
        """Return whether a tensor is meant to be trained, and no input that a gradient is asked for."""

    def hook_load(self, hook: Callable[[], None]) -> Remove:
        """Call `hook()` when the model is given its own parameters to load."""
        del hook
        return lambda: None

    @abstractmethod
    def hook_call(self, hook: Callable[[Any, Any], None], module: Any = None) -> Remove:
        """Call `hook(args, kwargs)` when the model is called, or this module of it."""

    @abstractmethod
    def hook_return(self, hook: Callable[[Any], None]) -> Remove:
        """Call `hook(output)` once the model has returned, or `hook(None)` if it has failed; after all other hooks."""

    @abstractmethod
    def await_gradient(self, call: Call, capture: CallTaker, *, at_once: bool) -> None:
        """Let a call's gradient be kept, and if `at_once`, let `capture.on_gradient` see it as it arrives."""

    @abstractmethod
    def hook_gradient(self, tensor: Any, hook: Callable[[Any], None]) -> None:
        """Call `hook(gradient)` when a result's gradient arrives."""

    def begin(self) -> Remove:
        """Make ready for hooks. Returns what ends it, after the last hook is gone."""
        return _nothing

    def collect(self, calls: Sequence[Call]) -> set[WatchedLayer]:
        """Take in the gradients that wait in calls' tensors, and return the layers whose output was changed in place.

        The values of such a call are None afterwards, unless they are a copy.
        """
        del calls
        return set()

    def watch_functions(self, on_function: OnFunction) -> AbstractContextManager[Any] | None:
        """Return what shows, while it is open, every call of an activation function; None if there is no such thing."""
        del on_function
        return None

    def is_transformed(self) -> bool:
        """Return whether the model runs under a transformation (vmap, a compiler), where its results are no numbers."""
        return False

    def directions(self) -> Directions | None:
        """Return what looks at recurrent layers that read in both directions; None if there are no such."""
        return None

    def operations(self) -> Operations | None:
        """Return what looks at every operation while it is open; None if there is no such thing."""
        return None

    # -- one batch, and everything as it was ---------------------------------------------------------------------------

    @abstractmethod
    def undo_list(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield what `Guard` puts back, in words, and the function that does so."""

    @abstractmethod
    def clear_gradients(self) -> None:
        """Take the gradients off all parameters."""

    @abstractmethod
    def set_mode(self, *, training: bool) -> None:
        """Set training or evaluation mode."""

    @abstractmethod
    def recording(self, *, on: bool) -> AbstractContextManager[Any]:
        """Return a block in which results have a graph, or have none."""

    @abstractmethod
    def backward(self, loss: Any) -> None:
        """Leave the gradients of a loss in the parameters."""

    @abstractmethod
    def batch(self, inputs: Any, targets: Any, loss: Any) -> BatchView:
        """Return a batch to examine the network with; see `backlight.health.examine`."""

    @abstractmethod
    def output_of(self, result: Any) -> Any:
        """Return the tensor that a model's result is about: its logits, or its first floating-point tensor."""


class Guard:
    """What happens inside `with Guard(adapter):` to weights, buffers, gradients, modes and random states is undone.

    Each of them is put back by itself, so that one that cannot be does not keep the others from it.

    Args:
        adapter: the network and its framework.

    Raises:
        ConfigError: on leaving: something could not be put back.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __enter__(self) -> Self:
        self._undo = list(self._adapter.undo_list())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed: list[tuple[str, Exception]] = []
        for what, undo in self._undo:
            try:
                undo()
            except Exception as reason:  # noqa: BLE001  (whatever it is, the others are still to be put back)
                failed.append((what, reason))
        self._undo = []
        if failed and error is None:
            what, cause = failed[0]
            raise ConfigError(
                f"a network that is examined is put back as it was; this could not be: {what} "
                f"({type(cause).__name__}: {cause!s:.80}). Make the network anew before you train it."
            ) from cause
