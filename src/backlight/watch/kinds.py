"""What a layer does, by the name of its class, and what a function does that stands in for a layer.

PyTorch's classes, and classes of one's own that are called as these are, as the lectures' are. A layer of this package
says what it does itself (`backlight.nn.kind`).
"""

from collections.abc import Iterable
from typing import Final

from backlight.nn.kind import OTHER, Kind, Role

_TANH_LIKE = Kind("activation", (-1.0, 1.0), bounded=True)
_SIGMOID_LIKE = Kind("activation", (0.0, 1.0), bounded=True)
_RELU_LIKE = Kind("activation", one_sided=True)
_SOFTMAX = Kind("softmax", (0.0, 1.0), bounded=True)

_BY_ROLE: Final[dict[Role, str]] = {
    "linear": "Linear Bilinear LazyLinear Conv1D",
    "convolution": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CausalConv1d",
    "embedding": "Embedding EmbeddingBag PositionalEmbedding",
    "batch_norm": "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm",
    "norm": "LayerNorm GroupNorm RMSNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d LocalResponseNorm",
    "activation": "GELU SiLU Mish ELU SELU CELU LeakyReLU PReLU RReLU Softplus Hardswish LogSigmoid GLU Tanhshrink",
    "softmax": "LogSoftmax",
    "dropout": "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout",
    "recurrent": "RNNCell LSTMCell GRUCell",
    "attention": "MultiheadAttention CausalSelfAttention",
    "pooling": "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d "
    "AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d LPPool1d LPPool2d",
    "shape": "Flatten Unflatten Identity FlattenConsecutive PixelShuffle PixelUnshuffle ChannelShuffle Fold Unfold",
    "container": "Sequential ModuleList ModuleDict ParameterList",
}

KINDS: Final[dict[str, Kind]] = {
    **{name: Kind(role) for role, names in _BY_ROLE.items() for name in names.split()},
    **dict.fromkeys(("Tanh", "Softsign", "Hardtanh"), _TANH_LIKE),
    **dict.fromkeys(("Sigmoid", "Hardsigmoid"), _SIGMOID_LIKE),
    **dict.fromkeys(("ReLU", "ReLU6"), _RELU_LIKE),
    **dict.fromkeys(("Softmax", "Softmax2d", "Softmin"), _SOFTMAX),
    "LSTM": Kind("recurrent", (-1.0, 1.0)),
    "GRU": Kind("recurrent", (-1.0, 1.0)),
    "RNN": Kind("recurrent", (-1.0, 1.0), bounded=True),
}
"""What each class is. A class that is not here counts as the first of its base classes that is."""

FUNCTIONS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("tanh", "softsign", "hardtanh"), _TANH_LIKE),
    **dict.fromkeys(("sigmoid", "hardsigmoid"), _SIGMOID_LIKE),
    **dict.fromkeys(("relu", "relu6"), _RELU_LIKE),
    "softmax": _SOFTMAX,
    **dict.fromkeys(("gelu", "silu", "mish", "elu", "selu", "leaky_relu", "softplus", "glu"), Kind("activation")),
    "dropout": Kind("dropout"),
}
"""What each function is that a model may apply without a module."""


def kind_of(classes: Iterable[str]) -> Kind:
    """Return what a layer is, from the names of its class and its base classes, the class itself first."""
    return next((KINDS[name] for name in classes if name in KINDS), OTHER)
