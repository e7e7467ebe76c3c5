"""Transformers, PEFT, Lightning and Accelerate, each skipped where it is not installed. All weights are random.

Frameworks own their loop: where a case has one step, the whole training is in it and nobody tells a loss.
"""

import os
import tempfile
from typing import Any

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, right
from tests.faults.public.nets import mlp
from tests.faults.public.situations.twins import left_out, rate_zero
from tests.faults.public.tasks import classes, rows
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

os.environ.update(HF_HUB_OFFLINE="1", WANDB_DISABLED="true", TOKENIZERS_PARALLELISM="false")
VOCAB = 16


def strides() -> Tensor:
    """Return ids that go up by a step of their own, (N, 12)."""
    first, by = torch.randint(VOCAB, (512, 1)), torch.randint(1, 4, (512, 1))
    return (first + by * torch.arange(12)) % VOCAB


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"vocab_size": VOCAB, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 2}
    return GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))


def _text(net: Any, ids: Tensor, *, rate: float = 3e-3, steps: int = 120) -> Run:
    optimiser = adam(net, rate)

    def step(i: int) -> Tensor:
        batch = ids[rows(len(ids))]
        return descend(net(input_ids=batch, labels=batch).loss, optimiser)

    def quality() -> float:
        return -float(net(input_ids=ids, labels=ids).loss)

    batch = ({"input_ids": ids[:8], "labels": ids[:8]},)
    return Run(net=net, step=step, optimiser=optimiser, batch=batch, steps=steps, quality=quality)


@rate_zero("GPT-2 in a plain loop", -1.5, needs="transformers")
def gpt2_in_a_loop() -> Run:
    return _text(gpt2(), strides())


@rate_zero("GPT-2 with checkpoints", -1.5, needs="transformers")
def gpt2_with_checkpoints() -> Run:
    net = gpt2()
    net.gradient_checkpointing_enable()
    return _text(net, strides())


@healthy(what="BERT for classes", enough=0.5, needs="transformers")
def bert() -> Run:
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    net = BertForSequenceClassification(BertConfig(vocab_size=VOCAB, max_position_embeddings=16, num_labels=3, **sizes))
    ids = strides()
    labels = (ids[:, 1] - ids[:, 0] - 1) % VOCAB
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(512)
        return descend(net(input_ids=ids[r], labels=labels[r]).loss, optimiser)

    def quality() -> Tensor:
        return (net(input_ids=ids).logits.argmax(1) == labels).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=200, quality=quality)


@rate_zero("PEFT's low-rank adapters on a trained GPT-2", -4.0, needs="peft")
def peft_lora() -> Run:
    from peft import LoraConfig, get_peft_model

    base, ids = gpt2(), strides()
    run = _text(base, ids)
    for i in range(150):
        run.step(i)
    base.zero_grad(set_to_none=True)
    config = LoraConfig(r=4, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)
    return _text(get_peft_model(base, config), (ids * 5 + 3) % VOCAB, rate=1e-2)


def _trainer(**settings: Any) -> Run:
    from transformers import Trainer, TrainingArguments

    net, ids = gpt2(), strides()
    optimiser = adam(net)

    class Data(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(ids)

        def __getitem__(self, k: int) -> dict[str, Tensor]:
            return {"input_ids": ids[k], "labels": ids[k]}

    def step(i: int) -> None:
        quiet = {"report_to": [], "save_strategy": "no", "use_cpu": True, "disable_tqdm": True, "logging_steps": 1000}
        with tempfile.TemporaryDirectory() as folder:
            given = TrainingArguments(
                folder, max_steps=100, per_device_train_batch_size=32, lr_scheduler_type="constant", **quiet, **settings
            )
            constant = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda _: 1.0)
            Trainer(model=net, args=given, train_dataset=Data(), optimizers=(optimiser, constant)).train()

    def quality() -> float:
        return -float(net(input_ids=ids, labels=ids).loss)

    return Run(net=net, step=step, optimiser=optimiser, steps=1, quality=quality)


@rate_zero("the Trainer of Transformers", -1.5, needs="transformers")
def trainer() -> Run:
    return _trainer()


@rate_zero("the Trainer of Transformers, gradients accumulated", -1.7, needs="transformers")
def trainer_accumulates() -> Run:
    return _trainer(gradient_accumulation_steps=2)


@rate_zero("the Trainer of Transformers in bfloat16", -1.5, needs="transformers")
def trainer_bf16() -> Run:
    return _trainer(bf16=True)


def _lightning(*, whole: bool, **settings: Any) -> Run:
    import lightning

    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def training_step(self, batch: Any, _: int) -> Tensor:
            return F.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return optimiser

    module = Module()

    def step(i: int) -> None:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        fit = lightning.Trainer(max_epochs=8, accelerator="cpu", enable_model_summary=False, **quiet, **settings).fit
        fit(module, DataLoader(TensorDataset(x, y), 32, shuffle=True))

    watched = module if whole else net
    return Run(net=watched, step=step, optimiser=optimiser, steps=1, quality=lambda: right(net, x, y))


@rate_zero("Lightning, the net in its module is watched", 0.9, needs="lightning")
def lightning_net() -> Run:
    return _lightning(whole=False)


@rate_zero("Lightning, the LightningModule is watched, whose parts are called", 0.9, needs="lightning")
def lightning_module() -> Run:
    return _lightning(whole=True)


@rate_zero("Lightning with bfloat16 and accumulation", 0.8, needs="lightning")
def lightning_mixed() -> Run:
    return _lightning(whole=False, precision="bf16-mixed", accumulate_grad_batches=2)


def _accelerate(count: int) -> Run:
    from accelerate import Accelerator

    x, y = classes()
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=count)
    net = accelerator.prepare(mlp())
    raw = adam(net)
    optimiser, loader = accelerator.prepare(raw, DataLoader(TensorDataset(x, y), 32, shuffle=True))
    batches: Any = iter(())

    def step(i: int) -> Tensor:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        with accelerator.accumulate(net):
            loss = F.cross_entropy(net(batch[0]), batch[1])
            accelerator.backward(loss)
            optimiser.step()
            optimiser.zero_grad()
        return loss

    return Run(net=net, step=step, optimiser=raw, steps=150 * count, quality=lambda: right(net, x, y))


@rate_zero("a loop of Accelerate", 0.8, needs="accelerate")
def accelerate_loop() -> Run:
    return _accelerate(1)


@left_out("a loop of Accelerate that accumulates four minibatches", 0.88, needs="accelerate")
def accelerate_accumulates() -> Run:
    return _accelerate(4)
