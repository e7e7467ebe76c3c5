"""Splitting, learning merges and encoding in C; Python does the same, more slowly, where there is no compiler."""

from backlight.text.tokenizers.native.library import GPT2, GPT4, WHOLE, Encoder, Rule, Trainer, available, split

__all__ = ["GPT2", "GPT4", "WHOLE", "Encoder", "Rule", "Trainer", "available", "split"]
