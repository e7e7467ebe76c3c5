"""Watching a network of this package while it trains."""

from backlight.watch.ours.examine import examine_module
from backlight.watch.ours.watcher import ModuleWatcher

__all__ = ["ModuleWatcher", "examine_module"]
