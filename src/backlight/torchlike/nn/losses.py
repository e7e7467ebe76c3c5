"""Losses as layers: each calls the function of `torch.nn.functional`."""

from typing import Any

from backlight.autograd import Tensor
from backlight.core import ConfigError
from backlight.core.arguments import shown
from backlight.torchlike.nn import functional
from backlight.torchlike.nn.module import Module

F: Any = functional  # the functions are named when a layer is called


class _Loss(Module):
    def __init__(self, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            raise ConfigError("size_average and reduce are old names; use reduction='mean', 'sum' or 'none'.")
        if not isinstance(reduction, str) or reduction not in {"mean", "sum", "none"}:
            raise ConfigError(f"reduction must be 'mean', 'sum' or 'none'; got {shown(reduction)}.")
        self.reduction = reduction

    def _settings(self, **settings: Any) -> dict[str, Any]:
        """Return the settings of the function that differ from its defaults."""
        return {name: value for name, value in settings.items() if value is not None}


class MSELoss(_Loss):
    """The mean of (input - target)²."""

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return F.mse_loss(input, target, **_reduction(self))


class L1Loss(_Loss):
    """The mean of |input - target|."""

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return F.l1_loss(input, target, **_reduction(self))


class NLLLoss(_Loss):
    """-log p[target], in nats, of log probabilities.

    Args:
        weight: (C,) the weight of each class, or None.
        size_average: an old name, which is refused.
        ignore_index: the id of positions that are excluded.
        reduce: an old name, which is refused.
        reduction: "mean", "sum" or "none".
    """

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100, reduce: Any = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss. Args: see `functional.nll_loss`."""
        settings = self._settings(weight=self.weight)
        return F.nll_loss(input, target, ignore_index=self.ignore_index, reduction=self.reduction, **settings)


class CrossEntropyLoss(NLLLoss):
    """-log softmax(logits)[target], in nats.

    Args:
        weight: (C,) the weight of each class, or None.
        size_average: an old name, which is refused.
        ignore_index: the id of positions that are excluded.
        reduce: an old name, which is refused.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share of the target that is spread over all classes.
    """

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100, reduce: Any = None,
        reduction: str = "mean", label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss. Args: see `functional.cross_entropy`."""
        settings = self._settings(weight=self.weight, label_smoothing=self.label_smoothing or None)
        return F.cross_entropy(input, target, ignore_index=self.ignore_index, reduction=self.reduction, **settings)


class BCELoss(_Loss):
    """-[y ln p + (1 - y) ln(1 - p)], in nats, of probabilities p.

    Args:
        weight: the weight of each element, or None.
        size_average: an old name, which is refused.
        reduce: an old name, which is refused.
        reduction: "mean", "sum" or "none".
    """

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        settings = self._settings(weight=self.weight)
        return F.binary_cross_entropy(input, target, reduction=self.reduction, **settings)


class BCEWithLogitsLoss(BCELoss):
    """Binary cross entropy of sigmoid(x), in nats.

    Args:
        weight: the weight of each element, or None.
        size_average: an old name, which is refused.
        reduce: an old name, which is refused.
        reduction: "mean", "sum" or "none".
        pos_weight: the weight of positive targets, or None.
    """

    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        settings = self._settings(weight=self.weight, pos_weight=self.pos_weight)
        return F.binary_cross_entropy_with_logits(input, target, reduction=self.reduction, **settings)


def _reduction(loss: _Loss) -> dict[str, Any]:
    return {} if loss.reduction == "mean" else {"reduction": loss.reduction}
