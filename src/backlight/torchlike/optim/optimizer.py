"""`Optimizer`: groups of parameters with their settings, and a state for each parameter."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backlight.autograd import Tensor
from backlight.autograd.flat import zero_gradients
from backlight.core import ConfigError, GraphError, OperandError
from backlight.core.arguments import shown
from backlight.torchlike.optim.state import plain, restored

Params = Iterable[Any]
Closure = Callable[[], Any] | None


class Optimizer:
    """The base class of the optimisers; a subclass defines `step()`.

    Args:
        params: tensors, or dicts that hold tensors under "params" and settings that differ for them; also pairs of
            names and tensors, as of `named_parameters()`.
        defaults: the settings of groups that do not name them.

    Attributes:
        param_groups: one dict of settings for each group; may be changed before every step.
        state: by parameter, what the optimiser has remembered about it.
        defaults: the settings given to the constructor.

    Raises:
        ConfigError: no parameters, or one of them twice.
        OperandError: not tensors.
        GraphError: a tensor that is the result of a computation.
    """

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise OperandError(
                f"an optimiser takes a list of tensors, such as model.parameters(); got {shown(params)}."
            )
        groups = list(params)
        if not groups:
            raise ConfigError("an optimiser needs at least one parameter; got none. Has the model any layers?")
        self.defaults = defaults
        self.state: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        for group in groups if isinstance(groups[0], Mapping) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group: a dict of tensors under "params" and of settings. Raises: see `Optimizer`."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise OperandError(f"a group must be a dict with 'params'; got {shown(param_group)}.")
        given = param_group["params"]
        tensors = [given] if isinstance(given, Tensor) else list(given)
        tensors = [one[1] if isinstance(one, tuple) and len(one) == 2 else one for one in tensors]
        held = {id(one) for group in self.param_groups for one in group["params"]}
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise OperandError(f"an optimiser takes tensors, such as model.parameters(); got {shown(tensor)}.")
            if tensor._prev:
                raise GraphError("an optimiser takes leaves, such as model.parameters(); got the result of an op.")
            if id(tensor) in held:
                raise ConfigError("a parameter must be given once; got one of them twice. Is it in two groups?")
            held.add(id(tensor))
        group = {**self.defaults, **param_group, "params": tensors}
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Check the settings of a new group. Raises ConfigError for one that is out of range or not supported."""

    def step(self, closure: Closure = None) -> Any:
        """Update the parameters once, with their present gradients.

        Args:
            closure: computes the loss again, with gradients; it is called first.

        Returns:
            What the closure returns.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step().")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients: set them to None, or existing ones to 0 if `set_to_none` is false."""
        for group in self.param_groups:
            present = [one for one in group["params"] if one._grad is not None]
            zero_gradients(present, set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state by the number of each parameter, and the groups without their tensors, as in PyTorch."""
        return plain(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the result of `state_dict()`.

        Raises:
            ConfigError: the groups have other sizes.
            OperandError: not the result of `state_dict()`.
        """
        restored(self, state_dict)

    def __repr__(self) -> str:
        groups = [
            f"\nParameter Group {number}\n"
            + "".join(f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params")
            for number, group in enumerate(self.param_groups)
        ]
        return f"{type(self).__name__} ({''.join(groups)})"
