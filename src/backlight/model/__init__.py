"""The main interface from Python: `train` a model, `load` one, and use it.

Train on a list of strings, on a file, or on a named corpus. Without `run`, everything is kept in memory:

>>> import backlight
>>> names = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail"]
>>> model = backlight.train(names, steps=20, progress=None)
>>> model = backlight.train("names.txt", model="gru", steps=20, progress=None)
>>> model = backlight.train("names", model="ngram", run="runs/mine")

Load a model and sample new items, or only items that are not in the training data:

>>> backlight.load("runs/mine").sample(3, prefix="ma", seed=1)
['mapru', 'maycen', 'maeleigh']
>>> model.sample(3, temperature=0.5, novel=True, seed=1)
['naveer', 'adaliana', 'valee']

Score strings, or the lines of a file, in nats; unusual ones have a higher negative log-likelihood:

>>> model.score(["emma", "xzqwv"]).round(1)
array([ 8.6, 27.4])
>>> from pathlib import Path
>>> model.score(Path("names.txt")).shape
(23,)
>>> model.log_probs("ava").round(2)  # of a, v, a and the end
array([-1.98, -2.95, -1.37, -2.97])

Get the output of each layer of a network for a text:

>>> net = backlight.train("names.txt", steps=20, progress=None)
>>> net.activations("emm")["embedding"].shape
(1, 6, 32)

Save a model to a run folder, which every command of `backlight` can use:

>>> net.save("runs/other")
>>> backlight.load("runs/other").result["steps"]
20

Train a layer in a loop of your own:

>>> import numpy as np
>>> layer = backlight.nn.Linear(2, 1, rng=np.random.default_rng(0))
>>> loss = (layer(backlight.Tensor([[1.0, 2.0]])) ** 2).sum()
>>> loss.backward()
>>> backlight.optim.SGD(layer.parameters(), 0.1).step()
"""

from backlight.model.fitting import train
from backlight.model.model import Model, load

__all__ = ["Model", "load", "train"]
