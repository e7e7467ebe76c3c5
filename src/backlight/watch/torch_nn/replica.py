"""A copy of a PyTorch network for experiments."""

import copy
import io
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  (the field's name)

from backlight.core import ConfigError, IntArray
from backlight.watch.replica import Leaf, LossKind, Replica, Rounding, Slope, Step
from backlight.watch.torch_nn.adapter import TorchAdapter
from backlight.watch.torch_nn.batch import usual_loss
from backlight.watch.torch_nn.differences import slopes
from backlight.watch.torch_nn.plain import mapped, output_of, tensors_in

_HALF: Final = (torch.bfloat16, torch.float16)
_DEEPEST: Final = 4
"""So deep lists and dicts of a module's attributes are searched for tensors."""

_SMALL: Final = 1_000_000
"""Numbers of a small network."""

_SEED: Final = 74_051
"""Nobody's usual one: a fresh network must not be the one that the user has."""


class TorchReplica(Replica):
    """A copy of a `torch.nn.Module`; see `Replica`."""

    adapter: TorchAdapter

    def __init__(self, model: torch.nn.Module, *, optimiser: Any, loss: Any, step: Step | None) -> None:
        memo: dict[int, Any] = {}  # one for all, so that what one holds of another is that of the copy
        made, self.optimiser = copy.deepcopy((model, optimiser), memo)
        self.loss, self.step = _rebound(loss, memo), _rebound(step, memo)
        self.adapter = TorchAdapter(made)
        _seed(_SEED)
        for parameter in made.parameters():
            parameter.grad = None

    def seed(self) -> None:
        _seed(_SEED)

    def copied(self, thing: Any) -> Any:
        return mapped(thing, _copied)

    def rows(self, thing: Any, rows: IntArray, count: int) -> Any:
        index = torch.from_numpy(rows)
        return mapped(thing, lambda x: x.detach()[index.to(x.device)] if x.ndim and len(x) == count else x)

    def reset(self, make: Callable[[], Any] | None) -> tuple[str, ...]:
        kept = _reset(self.model, make)
        if self.optimiser is not None and hasattr(self.optimiser, "state"):
            self.optimiser.state.clear()
        return kept

    def use_full_rate(self) -> None:
        for group in getattr(self.optimiser, "param_groups", ()):
            group["lr"] = group.get("initial_lr", group["lr"])

    def use_adam(self) -> None:
        learning = [one for one in self.model.parameters() if one.requires_grad]
        if not learning:
            raise ConfigError("the network has no parameter that learns.")
        self.optimiser, self.step = torch.optim.Adam(learning), None

    def use_reference_loss(self, kind: LossKind) -> None:
        self.loss, self.step = _REFERENCES[kind], None

    # -- weights -------------------------------------------------------------------------------------------------------

    def leaves(self, inputs: Any, targets: Any) -> list[Leaf] | None:
        self.adapter.set_mode(training=True)
        inputs, targets = self.copied(inputs), self.copied(targets)
        view = self.view(inputs, targets)
        loss = view.loss(view.run(None))
        if loss is None or loss.grad_fn is None:
            return None
        given = {id(one) for one in tensors_in(inputs)} | {id(one) for one in tensors_in(targets)}
        names = {id(one): name for name, one in self.model.named_parameters()}
        held = dict(self._held())
        stepped = self._stepped()
        found = []
        for one in _leaves(loss):
            if id(one) in given:
                continue
            name = names.get(id(one)) or held.get(id(one)) or f"a tensor of shape {tuple(one.shape)}"
            known = None if stepped is None else id(one) in stepped
            found.append(Leaf(name=name, registered=id(one) in names, stepped=known))
        return found

    def slopes(self, inputs: Any, targets: Any, most: int) -> list[Slope] | str:
        return slopes(self, inputs, targets, most)

    def rounding(self, inputs: Any, targets: Any, steps: int) -> list[Rounding]:
        stepped = self._stepped() or set()
        half = {n: p for n, p in self.model.named_parameters() if p.dtype in _HALF and id(p) in stepped}
        if not half or not type(self.optimiser).__module__.startswith("torch.optim"):
            return []
        before = {name: one.detach().clone() for name, one in half.items()}
        pulled = {name: torch.zeros_like(one, dtype=torch.bool) for name, one in half.items()}
        moved = {name: torch.zeros_like(one, dtype=torch.bool) for name, one in half.items()}
        for _ in range(steps):
            self.train_step(inputs, targets)
            for name, one in half.items():
                if one.grad is not None:
                    pulled[name] |= one.grad != 0
                moved[name] |= one.detach() != before[name]
        return [
            Rounding(
                name=name,
                dtype=str(one.dtype).removeprefix("torch."),
                still=float((pulled[name] & ~moved[name]).sum() / pulled[name].sum()),
            )
            for name, one in half.items()
            if pulled[name].any()
        ]

    def unsaved(self, inputs: Any, targets: Any, steps: int) -> list[str]:
        saved = {_place(one) for one in self.model.state_dict().values() if isinstance(one, torch.Tensor)}
        buffers = ((name, one) for name, one in self.model.named_buffers() if _place(one) not in saved)
        attributes = [(name, one) for one, name in self._tensors_held() if _place(one) not in saved]
        outside = {name: one for name, one in [*buffers, *attributes] if one.is_floating_point()}
        before = {name: one.detach().clone() for name, one in outside.items()}
        for _ in range(steps):
            self.train_step(inputs, targets)
        after = {name: one for one, name in self._tensors_held()} | dict(self.model.named_buffers())
        changed = [
            name for name, one in before.items()
            if name in after and after[name].shape == one.shape and not torch.equal(after[name].detach(), one)
        ]  # fmt: skip
        return [name for name in changed if self._is_read(after[name], before[name], inputs, targets)]

    def _is_read(self, tensor: torch.Tensor, other: torch.Tensor, inputs: Any, targets: Any) -> bool:
        """Return whether the output depends on what a tensor holds: of what a pass leaves behind it does not."""
        out, _ = self.output(inputs, targets, training=False)
        again, _ = self.output(inputs, targets, training=False)
        now = tensor.detach().clone()
        with torch.no_grad():
            tensor.copy_(other)
        after, _ = self.output(inputs, targets, training=False)
        with torch.no_grad():
            tensor.copy_(now)
        if out is None or again is None or after is None:
            return False
        return np.array_equal(out, again) and not np.array_equal(out, after)

    def reloaded(self, make: Callable[[], Any] | None) -> tuple[Any, Sequence[str]]:
        file = io.BytesIO()
        torch.save(self.model.state_dict(), file)
        file.seek(0)
        _seed(_SEED + 1)  # a new network must not draw what the first one drew
        made = make() if make is not None else copy.deepcopy(self.model)
        if make is None:
            _reset(made, None)
        keys = made.load_state_dict(torch.load(file, weights_only=True), strict=False)
        return made, [*keys.missing_keys, *keys.unexpected_keys]

    # -- tensors -------------------------------------------------------------------------------------------------------

    def _stepped(self) -> set[int] | None:
        if self.optimiser is None or not hasattr(self.optimiser, "param_groups"):
            return None
        return {id(one) for group in self.optimiser.param_groups for one in group["params"]}

    def _held(self) -> Iterator[tuple[int, str]]:
        yield from ((id(one), name) for one, name in self._tensors_held())

    def _tensors_held(self) -> list[tuple[torch.Tensor, str]]:
        """Return the tensors in attributes of modules that are neither parameters nor buffers, each with its name."""
        found: list[tuple[torch.Tensor, str]] = []
        for path, module in self.model.named_modules():
            for name, value in vars(module).items():
                if name not in {"_parameters", "_buffers", "_modules"} and not name.endswith("_hooks"):
                    found += _inside(value, f"{path}.{name}" if path else name, _DEEPEST)
        return found


def _rebound(thing: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of a function or module that uses copies of the networks and optimisers that it uses.

    A function keeps what it uses in its closure or finds it among the globals of its module. What learns or counts
    (networks, optimisers, schedules, scalers) is copied there, and functions of the same module are made anew, so that
    a step that is tried steps the copy only.
    """
    if not isinstance(thing, FunctionType):
        return copy.deepcopy(thing, memo)
    if id(thing) in memo:
        return memo[id(thing)]
    scope, old = dict(thing.__globals__), thing.__closure__ or ()
    cells = [CellType() if _is_filled(cell) and _is_followed(cell.cell_contents) else cell for cell in old]
    made = FunctionType(thing.__code__, scope, thing.__name__, thing.__defaults__, tuple(cells))
    made.__kwdefaults__ = thing.__kwdefaults__
    memo[id(thing)] = made  # before what it calls is made anew, which may call it
    for cell, before in zip(cells, old, strict=True):
        if cell is not before:
            cell.cell_contents = _rebound(before.cell_contents, memo)
    for name in thing.__code__.co_names:
        used = scope.get(name)
        if _has_state(used) or (isinstance(used, FunctionType) and used.__module__ == thing.__module__):
            scope[name] = _rebound(used, memo)
    return made


def _is_followed(thing: Any) -> bool:
    return isinstance(thing, FunctionType) or _has_state(thing)


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (an empty one raises)
    except ValueError:
        return False
    return True


def _has_state(thing: Any) -> bool:
    return (
        not isinstance(thing, (type, ModuleType)) and hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")
    )


def _seed(number: int) -> None:
    """Let each copy draw the same random numbers; `Guard` puts the user's back."""
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002  (what the user's code may draw from)


@contextmanager
def one_thread(model: torch.nn.Module) -> Iterator[None]:
    """Run a small network on one thread, where it is several times faster than on many."""
    threads = torch.get_num_threads()
    if sum(one.numel() for one in model.parameters()) < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def undo_of(optimiser: Any) -> Callable[[], None]:
    """Return what puts an optimiser's state and settings back."""
    if not hasattr(optimiser, "param_groups"):
        return lambda: None
    state = {one: copy.deepcopy(kept) for one, kept in optimiser.state.items()}
    groups = [{name: copy.deepcopy(value) for name, value in group.items() if name != "params"}
              for group in optimiser.param_groups]  # fmt: skip

    def undo() -> None:
        for one in [one for one in optimiser.state if one not in state]:
            del optimiser.state[one]
        for one, kept in state.items():
            optimiser.state[one] = kept
        for group, settings in zip(optimiser.param_groups, groups, strict=True):
            group.update(settings)

    return undo


def _inside(value: Any, name: str, deepest: int) -> Iterator[tuple[torch.Tensor, str]]:
    if isinstance(value, torch.Tensor):
        yield value, name
    elif isinstance(value, torch.nn.Module) and deepest:
        yield from ((one, f"{name}.{inner}") for inner, one in value.named_parameters())
        yield from ((one, f"{name}.{inner}") for inner, one in value.named_buffers())
    elif isinstance(value, (list, tuple)) and deepest:
        for at, one in enumerate(value):
            yield from _inside(one, f"{name}[{at}]", deepest - 1)
    elif isinstance(value, dict) and deepest:
        for key, one in value.items():
            yield from _inside(one, f"{name}[{key!r}]", deepest - 1)


def _leaves(loss: torch.Tensor) -> list[torch.Tensor]:
    """Return the leaves of a loss's graph, each once."""
    found: dict[int, torch.Tensor] = {}
    seen: set[Any] = set()
    waiting: list[Any] = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, torch.Tensor):
            found.setdefault(id(variable), variable)
        waiting += [one for one, _ in node.next_functions]
    return list(found.values())


def _reset(model: torch.nn.Module, make: Callable[[], Any] | None) -> tuple[str, ...]:
    if make is not None:
        model.load_state_dict(make().state_dict())
        return ()
    kept = []
    with torch.no_grad():
        for path, module in model.named_modules():
            reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
            if reset is not None:
                reset()
            elif next(module.parameters(recurse=False), None) is not None:
                kept.append(path or type(module).__name__)
    return tuple(kept)


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _place(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.untyped_storage().data_ptr(), int(tensor.storage_offset())


def _cross_entropy(result: Any, targets: Any) -> torch.Tensor:
    return usual_loss(output_of(result), targets)


def _binary(result: Any, targets: Any) -> torch.Tensor:
    logits = output_of(result)
    if logits is None or logits.numel() != targets.numel():
        raise ConfigError("outputs and targets of a binary cross-entropy have a number for each other.")
    return F.binary_cross_entropy_with_logits(logits.reshape(-1), targets.reshape(-1).to(logits.dtype))


def _squared(result: Any, targets: Any) -> torch.Tensor:
    output = output_of(result)
    if output is None or output.numel() != targets.numel():
        raise ConfigError("outputs and targets of a squared error have a number for each other.")
    return F.mse_loss(output.reshape(-1), targets.reshape(-1).to(output.dtype))


_REFERENCES: Final[Mapping[LossKind, Any]] = {
    "cross_entropy": _cross_entropy, "binary_cross_entropy": _binary, "mse": _squared,
}  # fmt: skip


def as_rows(data: Any, most: int) -> tuple[Any, Any]:
    """Return up to `most` examples of data as inputs and targets.

    Args:
        data: a pair of tensors (inputs, targets); a `Dataset` or list of such pairs, an example each; or a
            `DataLoader` of batches. The random states of a loader are put back.
        most: how many.

    Raises:
        ConfigError: it is none of these, or can be read once only.
    """
    if isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[0], (torch.Tensor, Mapping)):
        return data[0], data[1]
    if isinstance(data, torch.utils.data.DataLoader):
        return _of_loader(data, most)
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise ConfigError(
            f"data is a pair (inputs, targets), a dataset with a length, or a DataLoader; got a {type(data).__name__}, "
            "which can be read once only."
        )
    pairs = [data[int(at)] for at in np.linspace(0, len(data) - 1, min(most, len(data)))]
    return _joined(pairs, stacked=True)


def _of_loader(loader: Any, most: int) -> tuple[Any, Any]:
    if isinstance(loader.dataset, torch.utils.data.IterableDataset):
        raise ConfigError("an iterable dataset can be read once only. Pass a pair (inputs, targets) as data.")
    sources = (getattr(one, "generator", None) for one in (loader, loader.sampler, loader.batch_sampler))
    generators = [one for one in sources if isinstance(one, torch.Generator)]
    states = [one.get_state() for one in generators]
    pairs, count = [], 0
    try:
        for pair in loader:
            pairs.append(pair)
            count += len(next(tensors_in(pair)))
            if count >= most:
                break
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
    return _joined(pairs, stacked=False)


def _joined(pairs: list[Any], *, stacked: bool) -> tuple[Any, Any]:
    if not pairs or not all(isinstance(one, (tuple, list)) and len(one) == 2 for one in pairs):
        raise ConfigError("data has pairs of inputs and targets. Pass data=(inputs, targets), two tensors.")
    sides = []
    for side in zip(*pairs, strict=True):
        tensors = [torch.as_tensor(one) for one in side]
        sides.append(torch.stack(tensors) if stacked else torch.cat(tensors))
    return sides[0], sides[1]
