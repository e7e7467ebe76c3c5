"""Watching a network of ours learn: in anybody's loop, and in the Trainer's."""

from backlight.train.watching.examining import examine_module
from backlight.train.watching.watcher import ModuleWatcher

__all__ = ["ModuleWatcher", "examine_module"]
