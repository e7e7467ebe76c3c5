"""A training's log alone: what can be said of a network from its losses, learning rates and gradient norms.

reading    files to rows: CSV, JSON lines, TensorBoard's event files, Hugging Face's and Lightning's logs
columns    which column holds what
measuring  rows to measurements, which are diagnosed as any others
"""

from backlight.health.logs.measuring import Log, read_log

__all__ = ["Log", "read_log"]
