"""Run a function of one example, written with Values, on a whole batch as arrays.

function.py          `batched`: traces the function once, then runs the recording on every batch
tracing.py           calls the function with Values whose numbers are unknown and records its graph
execution_order.py   groups the nodes of that graph that can be computed in one call
vectors.py           computes each group as one op on arrays, forward and backward
"""

from backlight.autograd.batching.function import Batched, batched

__all__ = ["Batched", "batched"]
