"""Backpropagation by hand: lecture 5's four exercises, on the MLP with batch norm, in NumPy and nothing else.

    intermediates   the network as 20 small steps, and the gradient of each written out on a line of its own
    cross_entropy   from the logits to the loss and back, in one piece
    batch_norm      batch norm and its gradient, in one piece
    training        a training loop with those gradients: no graph, nothing asked of a machine that differentiates

Nothing here calls an op, a layer or a graph of this package; the tests hold it against all three, and against PyTorch.

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
