"""SGD, Adam, AdamW and RMSprop, with PyTorch's arguments."""

from typing import Any

import numpy as np

from backlight import optim
from backlight.autograd.flat import FlatParameters
from backlight.core import Array, ConfigError, FloatArray
from backlight.core.arguments import check_flag, check_number, shown
from backlight.optim import Optimiser
from backlight.torchlike.nn.options import refuse
from backlight.torchlike.optim.flat_steps import FlatOptimizer
from backlight.torchlike.optim.optimizer import Params


class SGD(FlatOptimizer):
    """p -= lr v, where v is the gradient, or with momentum a running sum of gradients.

    Args:
        params: see `Optimizer`.
        lr: learning rate.
        momentum: decay rate of the running sum, 0 <= momentum < 1.
        dampening: must be 0.
        weight_decay: weight_decay x p is added to the gradient.
        nesterov: whether to use Nesterov momentum.
        maximize: whether to ascend.
        foreach: changes nothing, like `fused` and `differentiable`.
        fused: see `foreach`.
        differentiable: see `foreach`.

    Raises:
        ConfigError: a setting out of range or not supported.
    Source: Sutskever et al. 2013, in the form of PyTorch's `torch.optim.SGD`.
    """

    names = ("momentum_buffer",)

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: Any = None, differentiable: bool = False,
        fused: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def _check(self, group: dict[str, Any]) -> None:
        _common(group)
        check_number(0, momentum=group["momentum"])
        refuse("SGD", dampening=(float(group["dampening"]), 0.0))
        if group["nesterov"] and not group["momentum"]:
            raise ConfigError("nesterov=True needs momentum; got momentum=0. Set momentum above 0.")

    def _made(self, flat: FlatParameters, group: dict[str, Any]) -> Optimiser:
        return optim.SGD(flat, group["lr"], momentum=group["momentum"], nesterov=bool(group["nesterov"]))

    def _configured(self, optimiser: Any, group: dict[str, Any], gradient: FloatArray) -> FloatArray:
        optimiser.lr, optimiser.momentum = group["lr"], group["momentum"]
        optimiser.weight_decay, optimiser.nesterov = group["weight_decay"], group["nesterov"]
        return -gradient if group["maximize"] else gradient


class AdamW(FlatOptimizer):
    """Adam with decoupled weight decay: see `backlight.optim.AdamW`.

    Args:
        params: see `Optimizer`.
        lr: learning rate.
        betas: decay rates of the two running means, each 0 <= β < 1.
        eps: added to the denominator.
        weight_decay: each step multiplies the weights by 1 - lr weight_decay.
        amsgrad: must be False.
        maximize: whether to ascend.
        foreach: changes nothing, like `capturable`, `differentiable` and `fused`.
        capturable: see `foreach`.
        differentiable: see `foreach`.
        fused: see `foreach`.

    Raises:
        ConfigError: a setting out of range or not supported.
    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """

    names = ("exp_avg", "exp_avg_sq")
    _decoupled = True

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: Any = None,
        capturable: bool = False, differentiable: bool = False, fused: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": self._decoupled,
        })  # fmt: skip

    def _check(self, group: dict[str, Any]) -> None:
        _common(group)
        name = type(self).__name__
        refuse(name, amsgrad=(group["amsgrad"], False))
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ConfigError(f"betas must be two numbers, as in (0.9, 0.999); got {shown(betas)}.")
        check_number(0, beta_1=betas[0], beta_2=betas[1], eps=group["eps"])
        if max(betas) >= 1:
            raise ConfigError(f"betas must be below 1, or the running means never change; got {shown(betas)}.")

    def _made(self, flat: FlatParameters, group: dict[str, Any]) -> Optimiser:
        return optim.AdamW(flat, group["lr"], betas=tuple(group["betas"]), eps=group["eps"])

    def _configured(self, optimiser: Any, group: dict[str, Any], gradient: FloatArray) -> FloatArray:
        decay = group["weight_decay"]
        optimiser.lr, optimiser.betas, optimiser.eps = group["lr"], tuple(group["betas"]), group["eps"]
        decoupled = group["decoupled_weight_decay"]
        optimiser.weight_decay = decay if decoupled else 0.0
        gradient = -gradient if group["maximize"] else gradient
        return gradient if decoupled or not decay else gradient + decay * optimiser.flat.data


class Adam(AdamW):
    """Adam, with weight decay as an L2 penalty: weight_decay x p is added to the gradient. Args: see `AdamW`.

    Source: Kingma & Ba 2015, arXiv:1412.6980.
    """

    _decoupled = False

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: Any = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: Any = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        self._decoupled = bool(decoupled_weight_decay)
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable, fused=fused,
        )  # fmt: skip


class _MeanSquare(Optimiser):
    """p -= lr grad / (√v + eps), v = alpha v + (1 - alpha) grad²; momentum sums such steps.

    Centred, v is replaced by v - g², with the running mean g of the gradients: an estimate of their variance.
    """

    buffers = ("square", "velocity", "mean")

    def __init__(self, flat: FlatParameters) -> None:
        super().__init__(flat, lr=0.0, weight_decay=0.0, decay_vectors=True)
        self.alpha, self.eps, self.momentum, self.centered = 0.99, 1e-8, 0.0, False
        self.square: FloatArray = np.zeros_like(self.flat.data)
        self.velocity: FloatArray = np.zeros_like(self.flat.data)
        self.mean: FloatArray = np.zeros_like(self.flat.data)

    def _update(self, data: FloatArray, grad: FloatArray) -> None:
        self.square *= self.alpha
        self.square += (1 - self.alpha) * grad * grad
        spread: Array = self.square
        if self.centered:
            self.mean *= self.alpha
            self.mean += (1 - self.alpha) * grad
            spread = spread - self.mean * self.mean
        step: Array = grad / (np.sqrt(spread) + self.eps)
        if self.momentum:
            self.velocity *= self.momentum
            self.velocity += step
            step = self.velocity
        data -= self.lr * step


class RMSprop(FlatOptimizer):
    """The gradient divided by the root of a running mean of its square.

    Args:
        params: see `Optimizer`.
        lr: learning rate.
        alpha: decay rate of the running mean.
        eps: added to the denominator.
        weight_decay: weight_decay x p is added to the gradient.
        momentum: decay rate of a running sum of the steps.
        centered: whether to divide by an estimate of the standard deviation instead.
        capturable: changes nothing, like `foreach` and `differentiable`.
        foreach: see `capturable`.
        maximize: whether to ascend.
        differentiable: see `capturable`.

    Raises:
        ConfigError: a setting out of range.
    Source: Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"; Graves 2013,
        arXiv:1308.0850, for the centred form.
    """

    names = ("square_avg", "momentum_buffer", "grad_avg")

    def __init__(
        self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: Any = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        })  # fmt: skip

    def _check(self, group: dict[str, Any]) -> None:
        _common(group)
        check_number(0, alpha=group["alpha"], eps=group["eps"], momentum=group["momentum"])

    def _made(self, flat: FlatParameters, group: dict[str, Any]) -> Optimiser:
        del group  # every setting may change before a step
        return _MeanSquare(flat)

    def _configured(self, optimiser: Any, group: dict[str, Any], gradient: FloatArray) -> FloatArray:
        optimiser.lr, optimiser.alpha, optimiser.eps = group["lr"], group["alpha"], group["eps"]
        optimiser.momentum, optimiser.centered = group["momentum"], group["centered"]
        gradient = -gradient if group["maximize"] else gradient
        return gradient + group["weight_decay"] * optimiser.flat.data if group["weight_decay"] else gradient


def _common(group: dict[str, Any]) -> None:
    """Check the settings that all groups have."""
    check_number(0, lr=group["lr"], weight_decay=group["weight_decay"])
    check_flag(maximize=group["maximize"])
