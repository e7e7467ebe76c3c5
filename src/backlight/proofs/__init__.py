"""Every op, layer and model held against PyTorch and against central differences.

The cases stand here once, for the oracle tests and for `backlight gradcheck`: ops, layers and models each have a file,
a case a line. What PyTorch has for them is in `backlight.twins`, and only asked where PyTorch is installed.
"""

from backlight.proofs.rows import (
    DIFFERENCES_BOUND,
    TORCH_BOUND,
    Row,
    prove_layers,
    prove_model,
    prove_ops,
    torch_version,
)

__all__ = [
    "DIFFERENCES_BOUND",
    "TORCH_BOUND",
    "Row",
    "prove_layers",
    "prove_model",
    "prove_ops",
    "torch_version",
]
