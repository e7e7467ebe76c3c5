"""Splitting, learning merges and encoding in C. Without a compiler, Python does the same more slowly."""

from backlight.text.tokenizers.native.library import GPT2, GPT4, WHOLE, Encoder, SplitRule, Trainer, available, split

__all__ = ["GPT2", "GPT4", "WHOLE", "Encoder", "SplitRule", "Trainer", "available", "split"]
