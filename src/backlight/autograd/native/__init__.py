"""Training steps as lists of compiled kernels in C: optional, and equal to NumPy except for rounding.

    building.py   compiles the C files into `_kernels.so`, at installation or when it is run
    library.py    loads that library and selects the kernels for this processor
    program.py    `Program`: a recorded graph, compiled into a list of kernel calls for each direction
    lowering.py   the kernels that each op becomes, and their arguments
    emitting.py   the arrays of a program and its list of kernel calls
    pool.c        the threads on which kernels compute; sharing.h says when work is divided
    kernels.c     the table of all kernels; the other headers define them, and step.h the format of a call

The reference is the graph of the ops in `autograd/ops`. `backlight.training.compiled_step` compares the first steps of
a program with it before it relies on the program. A new kernel needs a function in C, an entry in the table of
kernels.c and an entry in `LOWERINGS`.
"""

from backlight.autograd.native.emitting import UnsuitableError
from backlight.autograd.native.library import library
from backlight.autograd.native.program import Program
from backlight.autograd.value_native import SWITCH

__all__ = ["SWITCH", "Program", "UnsuitableError", "library"]
