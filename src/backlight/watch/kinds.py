"""What a layer does, by the name of its class: the same names in this package and in PyTorch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backlight.watch.records import Role


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a class of layers.

    Attributes:
        role: what it does.
        range: what its output cannot leave, if there is such a thing.
        bounded: whether it is flat near the ends of that range.
        one_sided: whether it is 0, without a gradient, for all negative inputs.
    """

    role: Role
    range: tuple[float, float] | None = None
    bounded: bool = False
    one_sided: bool = False


OTHER: Final = Kind("other")
_SQUASHES = Kind("activation", (-1.0, 1.0), bounded=True)
_GATE = Kind("activation", (0.0, 1.0), bounded=True)
_HINGE = Kind("activation", one_sided=True)
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
    "recurrent": "LSTM GRU RNNCell LSTMCell GRUCell",
    "attention": "MultiheadAttention CausalSelfAttention",
    "pooling": "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d "
    "AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d LPPool1d LPPool2d",
    "shape": "Flatten Unflatten Identity FlattenConsecutive PixelShuffle PixelUnshuffle ChannelShuffle Fold Unfold",
    "container": "Sequential ModuleList ModuleDict ParameterList",
}

KINDS: Final[dict[str, Kind]] = {
    **{name: Kind(role) for role, names in _BY_ROLE.items() for name in names.split()},
    **dict.fromkeys(("Tanh", "Softsign", "Hardtanh"), _SQUASHES),
    **dict.fromkeys(("Sigmoid", "Hardsigmoid"), _GATE),
    **dict.fromkeys(("ReLU", "ReLU6"), _HINGE),
    **dict.fromkeys(("Softmax", "Softmax2d", "Softmin"), _SOFTMAX),
    "LSTM": Kind("recurrent", (-1.0, 1.0)),
    "GRU": Kind("recurrent", (-1.0, 1.0)),
    "RNN": Kind("recurrent", (-1.0, 1.0), bounded=True),
}
"""What each class is. A class that is not here counts as the first of its base classes that is."""

FUNCTIONS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("tanh", "softsign", "hardtanh"), _SQUASHES),
    **dict.fromkeys(("sigmoid", "hardsigmoid"), _GATE),
    **dict.fromkeys(("relu", "relu6"), _HINGE),
    "softmax": _SOFTMAX,
    **dict.fromkeys(("gelu", "silu", "mish", "elu", "selu", "leaky_relu", "softplus", "glu"), Kind("activation")),
    "dropout": Kind("dropout"),
}
"""What each function is that a model may apply without a module."""


def kind_of(classes: Iterable[str]) -> Kind:
    """Return what a layer is, from the names of its class and its base classes, the class itself first."""
    return next((KINDS[name] for name in classes if name in KINDS), OTHER)
