"""Training steps as lists of compiled kernels: optional, and NumPy's numbers but for rounding.

The reference is the graph of the ops in `autograd/ops`. A `Program` is compiled from a graph, and
`backlight.training.compiled_step` compares the two before it relies on the program.
"""

from backlight.autograd.native.emitting import UnsuitableError
from backlight.autograd.native.library import SWITCH, library
from backlight.autograd.native.program import Program

__all__ = ["SWITCH", "Program", "UnsuitableError", "library"]
