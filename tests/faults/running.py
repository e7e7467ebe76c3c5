"""A training run under watch, as anybody would write it who uses `backlight.health`."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.faults import theirs
from tests.faults.experiment import Experiment
from tests.faults.tasks import Data

from backlight.health import compare_splits, examine, watch
from backlight.watch.records import Measurements

PROBED = 16
"""Examples of the batch that the net is examined with before it is trained."""


def measured(experiment: Experiment, seed: int) -> Measurements:
    """Return what is measured on a training run with this seed: of its data, its net and its minibatches."""
    with torch.random.fork_rng(devices=[]), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numbers that are not finite are what some faults are about
        warnings.simplefilter("ignore", UserWarning)  # and PyTorch has an eye on broadcasting losses
        return _trained(experiment, np.random.default_rng([seed, 20_240_229]))


def _trained(experiment: Experiment, rng: np.random.Generator) -> Measurements:
    kit = experiment.kit
    theirs.seeded(rng)
    data = experiment.data(rng)
    net = experiment.net(rng)
    experiment.alter(net)
    net.train(experiment.training)
    loss_of = experiment.loss(kit.loss_of(data))
    held = kit.parameters(net) if experiment.held is None else experiment.held(net)
    optimiser = experiment.optimiser(held)
    probes = _examined(experiment, net, loss_of, data, rng)
    with watch(net, optimiser=optimiser) as watcher:
        watcher.split(compare_splits(*data.wholes))
        for step in range(1, experiment.steps + 1):
            x, y = experiment.batch(*data.draw(experiment.batch_size, rng), rng)
            loss = loss_of(net(kit.inputs(x)), kit.targets(y))
            loss.backward()
            if experiment.stepped:
                optimiser.step()
            if experiment.zeroed:
                optimiser.zero_grad()
            watcher.step(loss)
            if step % experiment.evaluate_every == 0:
                watcher.evaluation(dev=_dev_loss(experiment, net, loss_of, data))
        return replace(watcher.measurements(), probes=probes)


def _examined(experiment: Experiment, net: Any, loss_of: Any, data: Data, rng: np.random.Generator) -> Any:
    x, y = data.draw(PROBED, rng)
    kit = experiment.kit
    return examine(net, kit.inputs(x), kit.targets(y), loss=loss_of).probes


def _dev_loss(experiment: Experiment, net: Any, loss_of: Any, data: Data) -> float:
    net.eval()
    with torch.no_grad():
        loss = loss_of(net(experiment.kit.inputs(data.dev_x)), experiment.kit.targets(data.dev_y))
    net.train(experiment.training)
    return float(loss.item())
