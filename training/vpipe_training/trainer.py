# SPDX-License-Identifier: Apache-2.0
"""The training loop: one cycle over time or steps, averaged weights, checkpoints that resume."""
import copy
import json
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader


@dataclass
class Settings:
    """What a recipe proposes and the command line may change."""

    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.05  # share of the run
    averaging: float = 0.999  # of the weights that are kept
    clip: float = 10.0  # of the gradient's norm


@dataclass
class Budget:
    """When to stop; the learning rate's cycle always completes."""

    minutes: float = math.inf
    steps: float = math.inf

    def progress(self, seconds, steps):
        return max(seconds / 60 / self.minutes, steps / self.steps)


class IndexStream:
    """Batches of `(index, progress)`: sample i is the same in every run, on any number of workers."""

    def __init__(self, trainer):
        self.trainer, self.next = trainer, trainer.seen

    def __iter__(self):
        while True:
            batch = self.trainer.settings.batch
            yield [(self.next + i, self.trainer.progress) for i in range(batch)]
            self.next += batch


class Trainer:
    """Trains `recipe` and leaves `last.pt`, `log.jsonl` and the averaged module."""

    def __init__(self, recipe, budget, out, seed=1, device="cpu", workers=0, amp=False, save_every=120.0):
        self.recipe, self.budget, self.settings = recipe, budget, recipe.settings
        self.device, self.workers, self.save_every = torch.device(device), workers, save_every
        self.amp = amp and recipe.mixed_precision
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        seed_everything(seed)
        self.model = recipe.model.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.optimiser = torch.optim.AdamW(
            _groups(recipe, self.model, self.settings), betas=(0.9, 0.99), fused=self.device.type == "cuda")
        self.step, self.seen, self.seconds, self.progress = 0, 0, 0.0, 0.0
        self.checkpoint = self.out / "last.pt"
        if self.checkpoint.exists():
            self._restore()

    def run(self):
        """Trains until the budget is spent; returns the first and the last mean loss of the log."""
        stream = self._batches()
        sums, count, history = {}, 0, []
        started, saved, noted = time.monotonic() - self.seconds, time.monotonic(), time.monotonic()
        with open(self.out / "log.jsonl", "a", buffering=1) as log:
            while True:
                self.seconds = time.monotonic() - started
                self.progress = self.budget.progress(self.seconds, self.step)
                if self.progress >= 1:
                    break
                for group in self.optimiser.param_groups:
                    group["lr"] = group["scale"] * one_cycle(self.progress, self.settings)
                parts = self._step(next(stream))
                count += 1
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0) + value
                now = time.monotonic()
                if now - noted > 20 or self.step == 1 or self.budget.progress(now - started, self.step) >= 1:
                    row = {name: round(float(value) / count, 4) for name, value in sums.items()}
                    row |= {"step": self.step, "seen": self.seen, "minutes": round((now - started) / 60, 2),
                            "progress": round(self.progress, 4)}
                    log.write(json.dumps(row) + "\n")
                    print(json.dumps(row), flush=True)
                    history.append(row["loss"])
                    sums, count, noted = {}, 0, now
                if now - saved > self.save_every:
                    self.save()
                    saved = now
        self.save()
        return (history[0], history[-1]) if history else (math.nan, math.nan)

    def save(self):
        """Writes the checkpoint, whole or not at all."""
        state = {"model": self.model.state_dict(), "average": self.average.state_dict(),
                 "optimiser": self.optimiser.state_dict(), "step": self.step, "seen": self.seen,
                 "seconds": self.seconds}
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        os.replace(part, self.checkpoint)

    def _restore(self):
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]
        print(f"resumed at step {self.step}, {self.seen} samples seen", flush=True)

    def _batches(self):
        loader = DataLoader(
            self.recipe.dataset, batch_sampler=IndexStream(self), num_workers=self.workers,
            collate_fn=self.recipe.collate, pin_memory=self.device.type == "cuda",
            prefetch_factor=4 if self.workers else None, worker_init_fn=_quiet_worker)
        for batch in loader:
            yield {name: _place(value, self.device) for name, value in batch.items()}

    def _step(self, batch):
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            parts = self.recipe.losses(self.model, batch, self.progress)
        loss = sum(parts.values())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.settings.clip)
        self.optimiser.step()
        self.step += 1
        self.seen += self.settings.batch
        self._average()
        # Kept as tensors: reading a number would wait for the device at every step.
        return {name: value.detach() for name, value in parts.items()} | {"loss": loss.detach(), "norm": norm.detach()}

    @torch.no_grad()
    def _average(self):
        decay = min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.state_dict().values(), self.model.state_dict().values())
        kept, new = zip(*[(a, b) for a, b in pairs if a.is_floating_point()])
        torch._foreach_lerp_(list(kept), list(new), 1 - decay)


def one_cycle(progress, settings):
    """Linear warm-up, then half a cosine down to nothing."""
    if progress < settings.warm_up:
        return settings.learning_rate * (progress / settings.warm_up + 1e-3)
    rest = (progress - settings.warm_up) / (1 - settings.warm_up)
    return settings.learning_rate * (0.5 * (1 + math.cos(math.pi * rest)) + 1e-3)


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _groups(recipe, model, settings):
    """Kernels decay, vectors do not; `recipe.scale(name)` slows a layer down, 0 freezes it."""
    groups = {}
    for name, parameter in model.named_parameters():
        scale = recipe.scale(name)
        parameter.requires_grad_(scale > 0)
        if scale > 0:
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((scale, decay), []).append(parameter)
    return [{"params": p, "scale": scale, "weight_decay": decay, "lr": 0.0} for (scale, decay), p in groups.items()]


def _place(value, device):
    if value.ndim == 4 and value.is_floating_point():
        return value.to(device, non_blocking=True, memory_format=torch.channels_last)
    return value.to(device, non_blocking=True)


def _quiet_worker(_):
    torch.set_num_threads(1)
