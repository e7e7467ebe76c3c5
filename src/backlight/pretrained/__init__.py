"""Models that were trained elsewhere: GPT-2 in a folder of Hugging Face, or a checkpoint of nanoGPT."""

from backlight.pretrained.run import PretrainedRun, is_pretrained, read_pretrained

__all__ = ["PretrainedRun", "is_pretrained", "read_pretrained"]
