"""The mapping between the parameters and buffers of a PyTorch model and Backlight's, and copies between them."""

from dataclasses import dataclass

import numpy as np
import torch

from backlight.core import Array, ConfigError
from backlight.nn import Module
from backlight.pytorch.sharding import placed_as, whole


@dataclass(frozen=True, slots=True)
class Link:
    """A parameter or buffer in both libraries. Its shape is (I, O) here and (O, I) there if it is transposed.

    Attributes:
        ours: its dotted name in the Backlight module.
        theirs: its dotted name in the PyTorch model.
        transposed: whether PyTorch stores it transposed, as in its Linear.
    """

    ours: str
    theirs: str
    transposed: bool

    def to_ours(self, tensor: torch.Tensor) -> Array:
        """Return a copy of a parameter, buffer or gradient of the PyTorch model, in Backlight's layout.

        If it is divided among processes, all of them must call this.
        """
        theirs: Array = whole(tensor.detach()).cpu().numpy()
        return np.array(theirs.T if self.transposed else theirs, order="C")

    def shape_of(self, tensor: torch.Tensor) -> tuple[int, ...]:
        """Return the shape that a parameter or buffer of the PyTorch model has in Backlight's layout."""
        shape = tuple(tensor.shape)
        return shape[::-1] if self.transposed else shape

    def to_theirs(self, array: Array) -> torch.Tensor:
        """Return a copy of a parameter, buffer or gradient of the Backlight module, in PyTorch's layout."""
        return torch.from_numpy(np.array(array.T if self.transposed else array, order="C"))


def remember(model: torch.nn.Module, links: tuple[Link, ...]) -> None:
    """Store the links in the model, so that its deep copies have them too."""
    model.backlight_links = links  # type: ignore[assignment]  # torch types attributes as tensors and modules


def weight_map(model: torch.nn.Module) -> tuple[Link, ...]:
    """Return the links of a PyTorch model, in the order of Backlight's parameters and then of its buffers.

    Raises:
        ConfigError: a module that does not come from `to_torch`.
    """
    links = vars(model).get("backlight_links")
    if links is None:
        raise ConfigError(f"the model must come from to_torch(); got a {type(model).__name__} that does not.")
    return links  # type: ignore[no-any-return]


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the model's parameters and buffers, in their shapes, by PyTorch's names, also those without a link."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def copy_weights(ours: Module, model: torch.nn.Module) -> None:
    """Copy the weights and buffers of a Backlight module into a PyTorch model, in its dtype and on its device.

    A model that is divided among processes gets those of the first one, and all must call this.

    Raises:
        ConfigError: the model was not made from this module: parameters differ in name or shape.
    """
    theirs = tensors_of(model)
    links = weight_map(model)
    state = ours.state_dict()
    wanted = {link.ours: link.shape_of(theirs[link.theirs]) for link in links}
    given = {name: array.shape for name, array in state.items()}
    if wanted != given:
        odd = sorted({name for name, _ in wanted.items() ^ given.items()})
        raise ConfigError(
            f"the PyTorch model must come from to_torch() of the same model; these weights differ: {', '.join(odd)}."
        )
    with torch.no_grad():
        for link in links:
            tensor = theirs[link.theirs]
            tensor.copy_(placed_as(link.to_theirs(state[link.ours]), tensor))


def weights_of(model: torch.nn.Module) -> dict[str, Array]:
    """Return copies of a PyTorch model's weights and buffers in Backlight's names, shapes and layout."""
    theirs = tensors_of(model)
    return {link.ours: link.to_ours(theirs[link.theirs]) for link in weight_map(model)}


def gradients_of(model: torch.nn.Module) -> dict[str, Array]:
    """Return copies of a PyTorch model's gradients in Backlight's names, shapes and layout.

    Parameters without a gradient are omitted.
    """
    theirs = tensors_of(model)
    found = {link: theirs[link.theirs].grad for link in weight_map(model)}
    return {link.ours: link.to_ours(grad) for link, grad in found.items() if grad is not None}
