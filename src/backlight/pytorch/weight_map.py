"""Which parameter or buffer of a PyTorch model is which of ours, and copies from one to the other."""

from dataclasses import dataclass

import numpy as np
import torch

from backlight.core import Array, ConfigError
from backlight.nn import Module


@dataclass(frozen=True, slots=True)
class Link:
    """One parameter or buffer on both sides.

    Attributes:
        ours: its dotted name in our module.
        theirs: its dotted name in the PyTorch model.
        transposed: whether PyTorch keeps it transposed, as its Linear does.
    """

    ours: str
    theirs: str
    transposed: bool

    def to_ours(self, tensor: torch.Tensor) -> Array:
        """Return a copy of a parameter, buffer or gradient of the PyTorch model, in our layout."""
        theirs: Array = tensor.detach().cpu().numpy()
        return np.array(theirs.T if self.transposed else theirs, order="C")

    def to_theirs(self, array: Array) -> torch.Tensor:
        """Return a copy of a parameter, buffer or gradient of ours, in PyTorch's layout."""
        return torch.from_numpy(np.array(array.T if self.transposed else array, order="C"))


def remember(model: torch.nn.Module, links: tuple[Link, ...]) -> None:
    """Store the links in the model; a deep copy of it has them too."""
    model.backlight_links = links  # type: ignore[assignment]  # torch types attributes as tensors and modules


def weight_map(model: torch.nn.Module) -> tuple[Link, ...]:
    """Return the links of a PyTorch model, in the order of our parameters and then of our buffers.

    Raises:
        ConfigError: a module that `to_torch` did not make.
    """
    links = vars(model).get("backlight_links")
    if links is None:
        raise ConfigError(f"only what to_torch() returned knows our names; got a {type(model).__name__} without them.")
    return links  # type: ignore[no-any-return]


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the model's parameters and buffers by PyTorch's names, including those that have no link."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def copy_weights(ours: Module, model: torch.nn.Module) -> None:
    """Overwrite a PyTorch model's weights and buffers with ours, in its dtype and on its device.

    Raises:
        ConfigError: the model was made from a module with other parameters, by name or by shape.
    """
    theirs = tensors_of(model)
    links = weight_map(model)
    state = ours.state_dict()
    wanted = {link.ours: link.to_ours(theirs[link.theirs]).shape for link in links}
    given = {name: array.shape for name, array in state.items()}
    if wanted != given:
        odd = sorted({name for name, _ in wanted.items() ^ given.items()})
        raise ConfigError(
            f"weights can only be copied to what to_torch() made of the same model; these differ: {', '.join(odd)}."
        )
    with torch.no_grad():
        for link in links:
            theirs[link.theirs].copy_(link.to_theirs(state[link.ours]))


def weights_of(model: torch.nn.Module) -> dict[str, Array]:
    """Return copies of a PyTorch model's weights and buffers, in our names and layout, for `load_state_dict`."""
    theirs = tensors_of(model)
    return {link.ours: link.to_ours(theirs[link.theirs]) for link in weight_map(model)}


def gradients_of(model: torch.nn.Module) -> dict[str, Array]:
    """Return copies of a PyTorch model's gradients under our names and in our layout.

    A parameter that no backward pass has reached is not among them.
    """
    theirs = tensors_of(model)
    found = {link: theirs[link.theirs].grad for link in weight_map(model)}
    return {link.ours: link.to_ours(grad) for link, grad in found.items() if grad is not None}
