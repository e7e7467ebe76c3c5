"""Watching: a network that is trained is turned into records. One mechanism, an adapter for each framework.

The files, in the order to read them:

    records       what is measured, as plain dataclasses; records_json and stream write and read them
    adapter       what the mechanism asks of a framework; backlight_nn and torch_nn answer
    schedule      which steps are recorded and kept
    layers        which modules are watched;   kinds  what each does
    capture       hooks: what the layers gave in a step, and the gradients that came back
    parameters    the parameters before a step, their gradients, and how far they moved
    numbers       moments, histograms and live units of many arrays at once
    step          from what was captured to a record;   notes, units, logits  single entries of it
    loss_graph    how the loss was made;   nonfinite  where numbers first were not finite
    watcher       puts these together;   api  `watch` itself
    examine       one batch, and the network as it was;   guard, probes
"""

from backlight.watch.api import compare_splits, watch
from backlight.watch.watcher import Watcher

__all__ = ["Watcher", "compare_splits", "watch"]
