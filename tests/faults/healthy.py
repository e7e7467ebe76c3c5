"""Nets that are well: no finding on any of them is true."""

from tests.faults import ours, theirs
from tests.faults.experiment import Experiment
from tests.faults.tasks import curve, digits, sequences, windows

OUR_MLP = Experiment(name="MLP tanh, ours", kit=ours, data=windows, net=ours.mlp, optimiser=ours.sgd(0.1, momentum=0.5))
OUR_BATCH_NORM = Experiment(
    name="MLP batch norm, ours", kit=ours, data=windows, net=ours.mlp_batch_norm, optimiser=ours.adam(3e-3)
)
OUR_RELU = Experiment(name="MLP ReLU, ours", kit=ours, data=digits, net=ours.relu_mlp, optimiser=ours.sgd(0.05))
OUR_DROPOUT = Experiment(
    name="MLP dropout, ours", kit=ours, data=digits, net=ours.dropout_mlp, optimiser=ours.adam(2e-3)
)
OUR_WAVENET = Experiment(
    name="WaveNet, ours", kit=ours, data=windows, net=ours.wavenet, optimiser=ours.adam(3e-3, weight_decay=0.1)
)
OUR_GPT = Experiment(
    name="GPT, ours", kit=ours, data=sequences, net=ours.gpt, optimiser=ours.adam(3e-3), steps=150, batch_size=16
)
OUR_LSTM = Experiment(
    name="LSTM, ours", kit=ours, data=sequences, net=ours.lstm, optimiser=ours.adam(5e-3), steps=150, batch_size=16
)

MLP = Experiment(
    name="MLP tanh, torch", kit=theirs, data=windows, net=lambda _: theirs.CharMLP(), optimiser=theirs.adam(3e-3)
)
BATCH_NORM = Experiment(
    name="MLP batch norm, torch",
    kit=theirs,
    data=windows,
    net=lambda _: theirs.CharMLP(batch_norm=True, layers=5),
    optimiser=theirs.sgd(0.1),
)
RELU = Experiment(
    name="MLP ReLU, torch", kit=theirs, data=digits, net=lambda _: theirs.relu_mlp(), optimiser=theirs.adam(2e-3)
)
DROPOUT = Experiment(
    name="MLP dropout, torch", kit=theirs, data=digits, net=lambda _: theirs.dropout_mlp(), optimiser=theirs.adam(2e-3)
)
WAVENET = Experiment(
    name="WaveNet, torch", kit=theirs, data=windows, net=lambda _: theirs.CharWaveNet(), optimiser=theirs.adamw(3e-3)
)
GPT = Experiment(
    name="GPT, torch", kit=theirs, data=sequences, net=lambda _: theirs.CharGPT(), optimiser=theirs.adamw(3e-3),
    steps=150, batch_size=16,
)  # fmt: skip
LSTM = Experiment(
    name="LSTM, torch", kit=theirs, data=sequences, net=lambda _: theirs.CharLSTM(), optimiser=theirs.adam(5e-3),
    steps=150, batch_size=16,
)  # fmt: skip
CNN = Experiment(
    name="CNN, torch", kit=theirs, data=digits, net=lambda _: theirs.CNN(), optimiser=theirs.sgd(0.05, momentum=0.9)
)
REGRESSION = Experiment(
    name="Regression, torch", kit=theirs, data=curve, net=lambda _: theirs.regressor(), optimiser=theirs.adam(5e-3)
)

HEALTHY = (
    OUR_MLP, OUR_BATCH_NORM, OUR_RELU, OUR_DROPOUT, OUR_WAVENET, OUR_GPT, OUR_LSTM,
    MLP, BATCH_NORM, RELU, DROPOUT, WAVENET, GPT, LSTM, CNN, REGRESSION,
)  # fmt: skip
