"""Watching a network of this package."""

from backlight.watch.backlight_nn.adapter import BacklightAdapter

__all__ = ["BacklightAdapter"]
