"""A network that took longer to train than a check may take: its weights, kept in half precision."""

from importlib import resources

import numpy as np
from safetensors.numpy import load

from backlight.models import MLP, MLPConfig

FILE = "lesson_6_mlp.safetensors"
"""In the folder `weights`; scripts/train_lesson_6.py makes it."""

CONFIG = MLPConfig(vocabulary_size=27, context=6, embedding=24, hidden=(176, 176))


def load_pretrained() -> MLP:
    """Return a network that was trained on the training part of `names`; its ids are those of its vocabulary."""
    net = MLP(CONFIG, rng=np.random.default_rng(0))
    kept = load(resources.files("backlight.lessons").joinpath("weights", FILE).read_bytes())
    net.load_state_dict({name: array.astype(np.float32) for name, array in kept.items()})
    return net.eval()
