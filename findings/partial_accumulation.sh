#!/usr/bin/env bash
# transformers 5.24.0, accelerate 1.15.0, lightning 2.6.6 (with torch 2.13.0): the last step of an epoch has half the gradient.
#
# Ten batches, four per step: an epoch ends with a step over two. The loss is such that every batch has a gradient of exactly 1.
# transformers' Trainer divides the last sum by the two batches that are there, and the step has a gradient of 1 like the others.
# accelerate and Lightning divide by four all the same, and step with 0.5.
# Why it surprises: all three step at the end of the epoch, the Trainer is built on accelerate, and the guess was one answer.
# Seen: 1 1 1 for the Trainer, 1 1 0.5 for accelerate and for Lightning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check transformers==5.24.0 accelerate==1.15.0 lightning==2.6.6 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import logging, lightning, torch
from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

logging.disable(logging.WARNING)
ROWS, GRADIENTS = [{"x": torch.ones(1)} for _ in range(10)], []

class Network(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return {"loss": (self.weight * x).mean()}
    def training_step(self, batch, _):
        return self(**batch)["loss"]
    def configure_optimizers(self):
        optimiser = torch.optim.SGD(self.parameters(), lr=0.1)
        optimiser.register_step_post_hook(lambda *_: GRADIENTS.append(self.weight.grad.item()))
        return optimiser

network = Network()
options = TrainingArguments("out", use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no", max_grad_norm=0,
                            per_device_train_batch_size=1, gradient_accumulation_steps=4, num_train_epochs=1)
trainer = Trainer(network, options, train_dataset=ROWS, optimizers=(network.configure_optimizers(), None))
trainer.remove_callback(PrinterCallback)
trainer.train()
network, accelerator = Network(), Accelerator(cpu=True, gradient_accumulation_steps=4)
network, optimiser, loader = accelerator.prepare(network, network.configure_optimizers(), DataLoader(ROWS))
for batch in loader:
    with accelerator.accumulate(network):
        accelerator.backward(network(**batch)["loss"])
        optimiser.step(), optimiser.zero_grad()
off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
lightning.Trainer(max_epochs=1, accumulate_grad_batches=4, accelerator="cpu", **off).fit(Network(), DataLoader(ROWS))
print("Trainer", GRADIENTS[:3], "accelerate", GRADIENTS[3:6], "Lightning", GRADIENTS[6:])
PYTHON
cat >"$folder/expected" <<'EXPECTED'
Trainer [1.0, 1.0, 1.0] accelerate [1.0, 1.0, 0.5] Lightning [1.0, 1.0, 0.5]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "partial_accumulation: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "partial_accumulation: as expected"
