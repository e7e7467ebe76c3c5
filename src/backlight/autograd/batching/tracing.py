"""Trace a function of Values: call it with Values whose numbers are unknown, and keep the graph that it builds."""

import builtins
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Real
from sys import _getframe
from typing import Any, NoReturn, cast

from backlight.autograd.batching.subscripts import subscripted
from backlight.autograd.graph import next_serial
from backlight.autograd.number import Value
from backlight.autograd.value import Number
from backlight.autograd.value_native import compiled
from backlight.core import GraphError

Example = Any
"""One example of a column: a Value, a list of Values, or nested lists of them."""


@dataclass(frozen=True, kw_only=True)
class TracedChoice:
    """A place where the function took an item of a list by an argument, as in `table[token]`.

    Attributes:
        by: the number of the argument's Value among the inputs.
        items: the list, or tuple.
    """

    by: int
    items: Sequence[Any]


@dataclass(kw_only=True)
class Trace:
    """The graph of a function.

    Attributes:
        start: the serial number of the first Value that was made.
        inputs: the unknown Values that it was called with, in the order of the columns.
        picked: for each input, the whole number that stands for it where it is used as an index; None if it has none.
        outputs: the Values that it returned.
        single: whether it returned one Value rather than a sequence.
        choices: where the inputs were used as indices, in this order.
    """

    start: int
    picked: Sequence[int | None]
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    single: bool = False
    choices: list[TracedChoice] = field(default_factory=list)


class _Running(threading.local):
    """The trace that this thread is making."""

    trace: Trace | None = None


_running = _Running()


def trace(function: Callable[..., Any], shapes: Sequence[tuple[int, ...]], picked: Sequence[int | None]) -> Trace:
    """Call a function with unknown Values and return the graph that it builds.

    Args:
        function: takes one example, made of Values, and returns a Value or a sequence of Values.
        shapes: the shape of each argument: () is one Value, (n,) a list of n, (n, m) a list of n lists.
        picked: for each Value of the arguments, see `Trace.picked`.

    Raises:
        GraphError: the function uses the data of an argument, or returns something other than Values.
    """
    made = Trace(start=compiled.next_serial() if compiled else next_serial(), picked=picked)
    arguments = [_unknown(shape, made.inputs) for shape in shapes]
    with _tracing(made):
        result = function(*arguments)
    outputs = [result] if isinstance(result, (Value, Real)) else result
    if not isinstance(outputs, Sequence) or not all(isinstance(output, (Value, Real)) for output in outputs):
        raise GraphError(f"a batched function must return a Value or a list of Values; got {type(result).__name__}.")
    made.outputs = [output if isinstance(output, Value) else Value(cast("Number", output)) for output in outputs]
    made.single = outputs is not result
    return made


@contextmanager
def _tracing(made: Trace) -> Iterator[None]:
    """Watch what a function does with numbers while it is traced.

    `max` and `min` are those of this module: they decide nothing that the graph does not have. What is read from a
    Value, parameters included, becomes a node, since it will be another number the next time.
    """
    with _ONE_AT_A_TIME:
        before = _running.trace, builtins.max, builtins.min
        _running.trace = made
        builtins.max, builtins.min = _largest, _smallest
        try:
            with _reads_in_python() if compiled is None else _reads_in_c(nested=before[0] is not None):
                yield
        finally:
            _running.trace, builtins.max, builtins.min = before


_ONE_AT_A_TIME = threading.RLock()
"""Held while a function is traced: `builtins` belongs to all threads. Theirs get Python's `max` and `min` from it."""


@contextmanager
def _reads_in_c(*, nested: bool) -> Iterator[None]:
    compiled.watch(_on_read)
    try:
        yield
    finally:
        compiled.watch(_on_read if nested else None)


@contextmanager
def _reads_in_python() -> Iterator[None]:
    kind: Any = Value
    slots, to_float = {name: kind.__dict__[name] for name in ("data", "grad")}, kind.__float__
    for name, slot in slots.items():
        setattr(kind, name, property(_reader(name, slot.__get__), slot.__set__))
    kind.__float__ = _reader("float", to_float)
    try:
        yield
    finally:
        kind.__float__ = to_float
        for name, slot in slots.items():
            setattr(kind, name, slot)


def _reader(name: str, plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a method that asks `_on_read`, unless the engine itself reads."""

    def read(node: Any) -> Any:
        inside = _getframe(1).f_globals["__name__"].startswith("backlight.autograd.")
        answer = NotImplemented if inside else _on_read(node, name)
        return plain(node) if answer is NotImplemented else answer

    return read


def _on_read(node: Value, name: str) -> Any:
    """Answer for a Value whose `data`, `grad` or float is asked for while this thread traces."""
    if _running.trace is None:
        return NotImplemented
    if name == "data":
        return _traced("data", node)
    return _refuse("converts a Value to float" if name == "float" else "reads .grad")


def _largest(*numbers: Any, **settings: Any) -> Any:
    return _extremum("max", _MAX, numbers, settings)


def _smallest(*numbers: Any, **settings: Any) -> Any:
    return _extremum("min", _MIN, numbers, settings)


_MAX, _MIN = max, min


def _extremum(op: str, plain: Callable[..., Any], numbers: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """Return max or min: a node if some of the numbers were read from unknown Values, else what Python returns."""
    if len(numbers) == 1:
        numbers = (list(numbers[0]),)
    items = numbers[0] if len(numbers) == 1 else numbers
    if settings or not any(isinstance(item, Traced) and item._op in _NUMBERS for item in items):
        return plain(*numbers, **settings)
    return _traced(op, *(item if isinstance(item, Value) else Value(item) for item in items))


_NUMBERS = {"data", "max", "min"}
"""The ops whose results are numbers that were read: no gradient flows through them."""


class _Unknown(Value):
    """What a Value refuses if its number is unknown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Traced({self._op or 'input'})"

    @property
    def data(self) -> Any:
        """The number, through which no gradient flows."""
        return _traced("data", self)

    @data.setter
    def data(self, _: Any) -> None:
        _refuse("sets .data")

    @property
    def grad(self) -> NoReturn:  # type: ignore[override]
        """Raise GraphError: there is no gradient yet."""
        _refuse("reads .grad")

    def __bool__(self) -> bool:
        return _refuse("uses a Value as a condition")

    def __float__(self) -> float:
        return _refuse("converts a Value to float")

    def __int__(self) -> int:
        return _refuse("converts a Value to int")

    def __index__(self) -> int:
        made = _running.trace
        place = next((i for i, one in enumerate(made.inputs) if one is self), None) if made else None
        number = made.picked[place] if made is not None and place is not None else None
        if made is None or place is None or number is None:
            _refuse("uses a Value as an index")
        items = subscripted(_getframe(1))
        if not isinstance(items, (list, tuple)):
            raise GraphError(
                "a batched function can use an argument as an index of a list only, as in table[token]; this one uses "
                f"it with {type(items).__name__}. Give the list a name, and index it on a line of its own."
            )
        made.choices.append(TracedChoice(by=place, items=items))
        return number

    def __lt__(self, other: object) -> bool:
        return _refuse("compares a Value with <")

    def __le__(self, other: object) -> bool:
        return _refuse("compares a Value with <=")

    def __gt__(self, other: object) -> bool:
        return _refuse("compares a Value with >")

    def __ge__(self, other: object) -> bool:
        return _refuse("compares a Value with >=")

    def __eq__(self, other: object) -> bool:
        return self is other or _refuse("compares a Value with ==")

    __hash__ = Value.__hash__

    def backward(self) -> None:
        """Raise GraphError: without numbers there are no derivatives."""
        _refuse("calls backward()")


class _TracedInPython(_Unknown):
    """The ops on unknown Values, which the class in C does by itself: each only records its parents."""

    __slots__ = ()

    def __add__(self, other: Value | Number) -> Value:
        return _binary("+", self, other)

    def __sub__(self, other: Value | Number) -> Value:
        return _binary("-", self, other)

    def __mul__(self, other: Value | Number) -> Value:
        return _binary("*", self, other)

    def __truediv__(self, other: Value | Number) -> Value:
        return _binary("/", self, other)

    def __pow__(self, other: Value | Number) -> Value:
        return _traced(f"**{float(other)}", self) if isinstance(other, Real) else _binary("**", self, other)

    def __neg__(self) -> Value:
        return _traced("neg", self)

    def __radd__(self, other: Value | Number) -> Value:
        return _binary("+", other, self)

    def __rsub__(self, other: Value | Number) -> Value:
        return _binary("-", other, self)

    def __rmul__(self, other: Value | Number) -> Value:
        return _binary("*", other, self)

    def __rtruediv__(self, other: Value | Number) -> Value:
        return _binary("/", other, self)

    def __rpow__(self, other: Value | Number) -> Value:
        return _binary("**", other, self)

    @classmethod
    def _dot(cls, weights: Sequence[Value], inputs: Sequence[Value], bias: Value) -> Value:
        return _traced("dot", bias, *weights, *inputs)

    def exp(self) -> Value:
        """Return e to this power."""
        return _traced("exp", self)

    def log(self) -> Value:
        """Return the natural logarithm."""
        return _traced("log", self)

    def tanh(self) -> Value:
        """Return the hyperbolic tangent."""
        return _traced("tanh", self)

    def relu(self) -> Value:
        """Return max(0, x)."""
        return _traced("ReLU", self)

    def sigmoid(self) -> Value:
        """Return 1 / (1 + exp(-x))."""
        return _traced("sigmoid", self)

    def sin(self) -> Value:
        """Return the sine of an angle in radians."""
        return _traced("sin", self)

    def cos(self) -> Value:
        """Return the cosine of an angle in radians."""
        return _traced("cos", self)


Traced: type[Value] = _TracedInPython if compiled is None else _Unknown
"""The class of Values whose number is unknown, and of all that is computed from them."""

if compiled is not None:
    compiled.set_traced(Traced)


def _unknown(shape: tuple[int, ...], inputs: list[Value]) -> Example:
    if shape:
        return [_unknown(shape[1:], inputs) for _ in range(shape[0])]
    inputs.append(_traced("") if compiled is None else compiled.unknown())
    return inputs[-1]


def _traced(op: str, *parents: Value) -> Value:
    if compiled is not None:
        return Traced(0.0, parents, op)
    made: Any = Traced.__new__(Traced)
    made.label = ""
    made._op = op
    made._a = made._b = made._more = None
    if parents:
        made._a, *others = parents
        if len(others) == 1:
            made._b = others[0]
        elif others:
            made._more = tuple(others), ()
    made._serial = next_serial()
    return cast("Value", made)


def _binary(op: str, left: Any, right: Any) -> Value:
    parents = []
    for side in (left, right):
        if not isinstance(side, (Value, Real)):
            raise TypeError(f"unsupported operand for {op}: {type(side).__name__}")
        parents.append(side if isinstance(side, Value) else Value(cast("Number", side)))
    return _traced(op, *parents)


def _refuse(action: str) -> NoReturn:
    raise GraphError(
        f"a batched function must do the same for every example; this one {action}, which differs between examples. "
        "Use relu() instead of an if, or call the function for each example."
    )
