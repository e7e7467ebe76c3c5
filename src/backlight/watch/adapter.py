"""What the watching mechanism asks of a framework. `backlight_nn` answers for this package, `torch_nn` for PyTorch.

A "tensor" below is the framework's tensor, a node of its graph. What `values` makes of it is what `measure` takes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from backlight.core import Array
from backlight.nn.kind import Kind
from backlight.watch.numbers import Block
from backlight.watch.records import OptimiserFacts, Setting

if TYPE_CHECKING:
    from backlight.watch.capture import Call, Capture
    from backlight.watch.layers import Layer

Remove = Callable[[], None]
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
    """

    run: Callable[[Array | None], Any]
    loss: Callable[[Any], Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    x: Array | None
    y: Array | None


class Optimisers(Protocol):
    """The optimisers that step a network's parameters."""

    found: list[Any]
    steps: int
    """Steps taken since `clear`."""

    def attach(self) -> None:
        """Begin to watch."""

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


class Adapter(ABC):
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
    def describe(self, layer: "Layer") -> LayerDescription:
        """Return what can be known of a layer's module without running it."""

    @abstractmethod
    def channel_axis(self, layer: "Layer | None", shape: Sequence[int], inherited: int | None) -> int:
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
    def has_identical_units(self, weight: Any) -> bool:
        """Return whether all output units of a weight matrix have the same weights."""

    @abstractmethod
    def units_of(self, weight: Any) -> int:
        """Return how many output units a weight matrix has."""

    @abstractmethod
    def dtype_name(self, tensor: Any) -> str:
        """Return the name of a tensor's dtype, by NumPy's names."""

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

    # -- tensors -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def tensors_in(self, thing: Any) -> Iterator[Any]:
        """Yield the tensors in what a module takes or gives, in order."""

    @abstractmethod
    def is_tensor(self, thing: Any) -> bool:
        """Return whether something is a tensor of this framework."""

    @abstractmethod
    def is_input(self, tensor: Any) -> bool:
        """Return whether a record can be made of an input: it holds real numbers or ids, and is dense and not empty."""

    @abstractmethod
    def awaits_gradient(self, tensor: Any) -> bool:
        """Return whether a gradient will come to a result."""

    @abstractmethod
    def why_not_measured(self, tensor: Any) -> str | None:
        """Return why a tensor cannot be measured; None if it can: real, floating point, dense, plain, not empty."""

    @abstractmethod
    def values(self, tensor: Any) -> Any:
        """Return a measurable tensor as `measure` takes it, without a copy if that can be."""

    def values_of(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Return `values` of each."""
        return list(map(self.values, tensors))

    @abstractmethod
    def copied(self, tensor: Any) -> Any:
        """Return a copy of a tensor for `measure`."""

    @abstractmethod
    def array(self, tensor: Any) -> Array:
        """Return a tensor's numbers as a new array, float32 or float64 for floating-point ones."""

    @abstractmethod
    def number(self, loss: Any) -> float:
        """Return a loss of one number as a float.

        Raises:
            ValueError: it is not one number.
        """

    @abstractmethod
    def sampled(self, tensor: Any, step: int) -> Any:
        """Return every `step`-th number of a tensor, flat, as a copy."""

    @abstractmethod
    def empty_like(self, tensor: Any) -> Any:
        """Return room for a copy of a tensor's values."""

    @abstractmethod
    def features(self, tensor: Any, step: int) -> Array:
        """Return every `step`-th feature (B, ...) of a tensor, of ids every `step`-th number, as a new array."""

    @abstractmethod
    def rows(self, tensor: Any, axis: int, most: int) -> Array:
        """Return a tensor as (N, C), the given axis last; if it has more than `most` numbers, evenly spaced rows."""

    @abstractmethod
    def first_rows(self, tensor: Any, axis: int, count: int) -> Array:
        """Return the first rows of a tensor as (N, C), the given axis last."""

    @abstractmethod
    def measure(
        self, block: Block, values: Sequence[Any], *, start: int = 0, less: Sequence[Any] | None = None,
        copies: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        """Measure; see `numbers.measure`."""

    def version(self, tensor: Any) -> int:
        """Return how often a tensor has been changed in place, where that is known."""
        del tensor
        return 0

    @abstractmethod
    def looks_broken(self, parameters: Sequence[Any]) -> bool:
        """Return whether the first gradient that there is holds a number that is not finite, at next to no cost."""

    # -- hooks ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def is_recording(self) -> bool:
        """Return whether results of this moment have a graph."""

    @abstractmethod
    def hook_layer(self, layer: "Layer", capture: "Capture") -> Remove:
        """Let `capture.on_module` see each call of a layer's module."""

    @abstractmethod
    def hook_call(self, hook: Callable[[Any, Any], None]) -> Remove:
        """Call `hook(args, kwargs)` when the model is called."""

    @abstractmethod
    def hook_return(self, hook: Callable[[Any], None]) -> Remove:
        """Call `hook(output)` once the model has returned, or `hook(None)` if it has failed; after all other hooks."""

    @abstractmethod
    def await_gradient(self, call: "Call", capture: "Capture", *, at_once: bool) -> None:
        """Let a call's gradient be kept, and if `at_once`, let `capture.on_gradient` see it as it arrives."""

    @abstractmethod
    def hook_gradient(self, tensor: Any, hook: Callable[[Any], None]) -> None:
        """Call `hook(gradient)` when a result's gradient arrives."""

    def collect(self, calls: Sequence["Call"]) -> set["Layer"]:
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

    # -- the graph -----------------------------------------------------------------------------------------------------

    shape_ops: ClassVar[frozenset[str]]
    """Names of the ops that move numbers and change none."""

    reads_every_graph: ClassVar[bool]
    """Whether the loss's graph is read in every recorded step, and not only in the first: it is cheap, and holds the
    targets."""

    @abstractmethod
    def node(self, tensor: Any) -> Any:
        """Return the node of the graph that a tensor is the result of; None if it has none."""

    @abstractmethod
    def op_name(self, node: Any) -> str:
        """Return the name of a node's op."""

    @abstractmethod
    def parents(self, node: Any) -> Iterable[Any]:
        """Return the nodes that a node's gradient goes to."""

    @abstractmethod
    def leaf(self, node: Any) -> Any:
        """Return the tensor that a node without parents stands for; None for other nodes."""

    @abstractmethod
    def loss_kind(self, names: Sequence[str]) -> str:
        """Return what a loss is, by the names of the ops from it down to the model's output."""

    @abstractmethod
    def reduction(self, nodes: Sequence[Any], names: Sequence[str]) -> str | None:
        """Return "mean" or "sum", or None if the ops from the loss down to the output do not show which."""

    @abstractmethod
    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], rank: int) -> int:
        """Return the axis of an output of so many axes that has the classes of a cross-entropy."""

    def loss_input(self, node: Any) -> Any:
        """Return the tensor that a loss's op reads, if this is one; else None."""
        del node
        return None

    def known_targets(self, nodes: Sequence[Any]) -> Array | None:
        """Return the targets that a loss was given, if its graph holds them; None if not."""
        del nodes
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
    def graph(self, *, on: bool) -> AbstractContextManager[Any]:
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
