# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, default_collate

from vpipe_training.trainer import Budget, Settings, Trainer, one_cycle


class Points(Dataset):
    def __len__(self):
        return 1 << 40

    def __getitem__(self, key):
        x = torch.randn(4, generator=torch.Generator().manual_seed(key[0]))
        return {"x": x, "y": x.sum(0, keepdim=True)}


class Line:
    settings = Settings(batch=8, learning_rate=0.05, weight_decay=0.0)
    mixed_precision = True
    dataset, collate = Points(), staticmethod(default_collate)

    def __init__(self):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 1))

    def scale(self, name):
        return 0.0 if name.startswith("1.") else 1.0

    def losses(self, model, batch, progress):
        return {"square": (model[0](batch["x"]) - batch["y"]).square().mean()}


def test_learns_and_leaves_frozen_layers_alone(tmp_path):
    recipe = Line()
    frozen = recipe.model[1].weight.clone()
    first, last = Trainer(recipe, Budget(steps=100), tmp_path).run()
    assert last < 0.3 * first  # the last is the mean of all after the first
    assert torch.equal(recipe.model[1].weight, frozen)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, workers):
    whole = Trainer(Line(), Budget(steps=20), tmp_path / "whole")
    whole.run()

    part = Trainer(Line(), Budget(steps=20), tmp_path / "parts", workers=workers)
    part.budget = Interrupted(20, 8)
    part.run()
    rest = Trainer(Line(), Budget(steps=20), tmp_path / "parts", workers=workers)
    assert (rest.step, rest.seen) == (8, 64)
    rest.run()
    for a, b in zip(whole.average.parameters(), rest.average.parameters()):
        assert torch.allclose(a, b, atol=1e-6)


class Interrupted(Budget):
    """As somebody pulls the plug after `stop` of `steps` steps."""

    def __init__(self, steps, stop):
        super().__init__(steps=steps)
        self.stop = stop

    def progress(self, seconds, steps):
        return 1.0 if steps >= self.stop else super().progress(seconds, steps)


def test_cycle_rises_and_ends_at_nothing():
    settings = Settings(learning_rate=1.0, warm_up=0.1)
    rates = [one_cycle(p / 100, settings) for p in range(101)]
    assert max(rates) == pytest.approx(1, abs=0.01) and rates.index(max(rates)) == 10
    assert rates[0] < 0.01 and rates[-1] < 0.01 and not math.isnan(sum(rates))
