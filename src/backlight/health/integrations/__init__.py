"""Callbacks that watch a training of Hugging Face's `Trainer` or of Lightning, and diagnose it at the end.

    from backlight.health.integrations.transformers import DoctorCallback
    trainer = Trainer(..., callbacks=[DoctorCallback()])

    from backlight.health.integrations.lightning import Doctor
    trainer = lightning.Trainer(callbacks=[Doctor()])

A loop of Accelerate is a plain loop: it needs no callback, but `watch(model, optimiser=optimizer.optimizer)`. The
modules import the package that they are for, which Backlight does not install.
"""
