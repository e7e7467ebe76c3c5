"""Training steps as lists of compiled kernels: optional, and NumPy's numbers but for rounding.

What is written down here for a machine is written for a reader in autograd/ops, which remains the reference: `Program`
stands beside `Replay`, and who uses it compares the two.
"""

from backlight.autograd.native.emitting import UnsuitableError
from backlight.autograd.native.library import SWITCH, library
from backlight.autograd.native.program import Program

__all__ = ["SWITCH", "Program", "UnsuitableError", "library"]
