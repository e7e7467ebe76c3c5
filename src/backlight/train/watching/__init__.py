"""Watching a network of ours learn: in anybody's loop, and in the Trainer's."""

from backlight.train.watching.examining import examine_module
from backlight.train.watching.of_run import RunWatcher, load_measurements
from backlight.train.watching.watcher import ModuleWatcher

__all__ = ["ModuleWatcher", "RunWatcher", "examine_module", "load_measurements"]
