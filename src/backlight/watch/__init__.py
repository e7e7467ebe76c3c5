"""What watching a network of ours and one of PyTorch have in common: which steps, which records are kept, how to name.

The arrays themselves are measured where they live: ours in `train`, PyTorch's in `twins`.
"""

from backlight.watch.keeping import DENSE, Kept, LossSeries, wanted
from backlight.watch.kinds import FUNCTIONS, Kind, kind_of
from backlight.watch.numbers import Block, kernel, measure
from backlight.watch.units import LiveUnits
from backlight.watch.watcher import Watcher

__all__ = [
    "DENSE",
    "FUNCTIONS",
    "Block",
    "Kept",
    "Kind",
    "LiveUnits",
    "LossSeries",
    "Watcher",
    "kernel",
    "kind_of",
    "measure",
    "wanted",
]
