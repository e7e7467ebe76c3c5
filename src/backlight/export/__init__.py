"""A trained model in the formats of other programs: a Hugging Face folder, ONNX, GGUF, PyTorch.

Every export is read by the other program, and put in place only if that computes the same logits.
"""

from backlight.export.exporting import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "export"]
