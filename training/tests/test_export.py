# SPDX-License-Identifier: Apache-2.0
import os

import pytest
import torch
from safetensors.torch import load_file

from vpipe_training import export
from vpipe_training.recipes import RECIPES
from vpipe_training.recipes.base import Options


@pytest.fixture
def recipe(tmp_path):
    return RECIPES["retinaface"](Options(size=64, folder=tmp_path))


def test_a_variance_too_large_for_float16_survives(recipe, tmp_path):
    state, name = dict(recipe.model.state_dict()), "body.stage1.0.1.running_var"
    state[name] = torch.full_like(state[name], 1e5)
    stored = load_file(export.write(recipe, state, tmp_path / "ours.safetensors", half=True))
    assert torch.equal(stored[name], state[name])
    assert stored["body.stage1.0.0.weight"].dtype == torch.float16


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o027, 0o640)])
def test_weights_have_the_permissions_of_other_new_files(recipe, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        path = export.write(recipe, dict(recipe.model.state_dict()), tmp_path / "ours.safetensors")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode
    assert sorted(p.suffix for p in tmp_path.iterdir() if p.name.startswith(("ours", "part"))) == [".safetensors"]


@pytest.mark.parametrize("value", [float("nan"), 1e5])
def test_kernels_that_are_no_numbers_are_named(recipe, tmp_path, value):
    state, name = dict(recipe.model.state_dict()), "body.stage1.0.0.weight"
    state[name] = torch.full_like(state[name], value)
    with pytest.raises(SystemExit, match=name):
        export.write(recipe, state, tmp_path / "ours.safetensors", half=True)
    assert not (tmp_path / "ours.safetensors").exists()
