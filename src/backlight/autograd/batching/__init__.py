"""Run a function of one example, written with Values, on a whole batch as arrays, or again and again on one example.

function.py          `batched`: traces the function once, then runs the recording on every batch
replayed.py          `replayed`: the same for one example at a time, in a loop that stays as it is
tracing.py           calls the function with Values whose numbers are unknown
subscripts.py        finds the list of which an unknown number chooses an item
recording.py         makes one graph of the traces
execution_order.py   groups the nodes of that graph that can be computed in one call
vectors.py           computes each group as one op on arrays, forward and backward

`autograd/native/graphs.h` runs the graph in C; without it, the last two do.
"""

from backlight.autograd.batching.function import Batched, batched
from backlight.autograd.batching.replayed import Replay, Replayed, replayed

__all__ = ["Batched", "Replay", "Replayed", "batched", "replayed"]
