"""Watching a network of ours learn: in anybody's loop, and in the Trainer's."""

from backlight.train.watching.watcher import ModuleWatcher

__all__ = ["ModuleWatcher"]
