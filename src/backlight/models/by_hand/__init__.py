"""Backpropagation by hand: lecture 5's four exercises, on the MLP with batch norm, in NumPy only.

    intermediates   the network in 20 small steps, with the gradient of each one on a line
    cross_entropy   cross-entropy and its gradient as one step
    batch_norm      batch norm and its gradient as one step
    training        a training loop with these gradients, without autograd

Nothing here uses an op, a layer or a graph of this package. The tests compare it with all three, and with PyTorch.

Source: lecture 5 of "Neural Networks: Zero to Hero" ("Becoming a backprop ninja").
"""

from backlight.models.by_hand.batch_norm import batch_norm, batch_norm_backward
from backlight.models.by_hand.cross_entropy import cross_entropy, cross_entropy_backward
from backlight.models.by_hand.intermediates import Intermediates, backward, forward
from backlight.models.by_hand.training import held_out_loss, loss_and_gradients, statistics, train
from backlight.models.by_hand.weights import Weights, first_weights

__all__ = [
    "Intermediates",
    "Weights",
    "backward",
    "batch_norm",
    "batch_norm_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "first_weights",
    "forward",
    "held_out_loss",
    "loss_and_gradients",
    "statistics",
    "train",
]
