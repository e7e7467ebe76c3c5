"""Trials, for what no list of symptoms foresees: short controlled experiments on copies of a network.

Each trial asks one question, does one thing to a copy of the network, of its data and of its step, and says what it
saw, whether or not there is a name for it. It also says at which part of a training that points, and which it excludes.

    subject     what trials are made on, and how long they may take
    by_heart    eight examples learnt in several ways
    answer      a linear model and the nearest neighbour against the network
    loss        made-up outputs in place of the network's
    dependence  what the output depends on
    saved       training mode, evaluation mode, saved weights
    weights     what the optimiser does not step, what rounding throws away
    outcome     what is right by class, by position, by length
    running     all of them;   ranking  what they leave of the explanations
"""

from backlight.health.trials.ranking import Candidate, ranked
from backlight.health.trials.running import run_trials

__all__ = ["Candidate", "ranked", "run_trials"]
