"""The twins of the recurrent layers: PyTorch's own, of which only the outputs are handed on."""

from typing import Any, Final

import torch

from backlight import nn
from backlight.pytorch.entry import Entry, layer


def _outputs_only(twin: torch.nn.RNNBase) -> torch.nn.RNNBase:
    """Leave away the last state, which PyTorch's layers return beside the state after each step."""
    twin.register_forward_hook(_first)
    return twin


def _first(layer: torch.nn.Module, inputs: Any, outputs: Any) -> Any:
    del layer, inputs
    return outputs[0]


def _with_one_bias(twin: torch.nn.RNNBase) -> torch.nn.RNNBase:
    """Hold PyTorch's second bias, which is added to the first and so has nothing to say, at 0."""
    zeros = torch.zeros_like(twin.get_parameter("bias_hh_l0"))
    del twin.bias_hh_l0
    twin.register_buffer("bias_hh_l0", zeros)
    return twin  # the list of weights that PyTorch's kernels read is made anew when it takes our dtype


_WEIGHTS: Final = ("weight_ih_l0", "weight_hh_l0")

RECURRENT: Final[dict[type[nn.Module], Entry]] = {
    nn.RNN: layer(
        lambda ours: _outputs_only(_with_one_bias(torch.nn.RNN(ours.input_size, ours.hidden_size, batch_first=True))),
        transposed=_WEIGHTS,
    ),
    nn.GRU: layer(
        lambda ours: _outputs_only(torch.nn.GRU(ours.input_size, ours.hidden_size, batch_first=True)),
        transposed=_WEIGHTS,
    ),
    nn.LSTM: layer(
        lambda ours: _outputs_only(_with_one_bias(torch.nn.LSTM(ours.input_size, ours.hidden_size, batch_first=True))),
        transposed=_WEIGHTS,
    ),
}  # fmt: skip
