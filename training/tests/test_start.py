# SPDX-License-Identifier: Apache-2.0
"""What a run starts from: random weights, weights of its own network, or the layers it shares with another one."""
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vpipe_training import export, vpipe
from vpipe_training.recipes import RECIPES
from vpipe_training.recipes.base import Options


def recipe(folder, **options):
    return RECIPES["ssh"](Options(size=64, folder=folder, **options))


def test_layers_of_the_same_name_and_shape_are_taken_over(tmp_path):
    given = vpipe.initial_weights("retinaface", "mobilenet0.25", 9, tmp_path)
    started = recipe(tmp_path, weights=str(given))
    assert started.is_fresh
    other, state = load_file(str(given)), started.model.state_dict()
    body = [name for name in state if name.startswith("body.")]
    assert body and all(torch.equal(state[name], other[name]) for name in body)
    assert torch.equal(state["m1.7x7.0.weight"], other["ssh1.conv7x7_3.0.weight"])  # the same layer by another name
    assert not torch.equal(state["m2.7x7.0.weight"][:16, :16], other["ssh2.conv7x7_3.0.weight"])
    assert float(state["m1.cls_score.bias"][0]) > 2  # heads are as from random weights


def test_weights_of_the_same_network_are_taken_whole(tmp_path):
    given = vpipe.initial_weights("ssh", "mobilenet0.25", 9, tmp_path)
    started = recipe(tmp_path, weights=str(given))
    assert not started.is_fresh
    expected = load_file(str(given))
    assert all(torch.equal(value, expected[name]) for name, value in started.model.state_dict().items())


def test_nothing_shared_is_an_error(tmp_path):
    save_file({"other": torch.zeros(1)}, str(tmp_path / "other.safetensors"), {"network": "mlsd"})
    with pytest.raises(SystemExit, match="shares no tensor"):
        recipe(tmp_path, weights=str(tmp_path / "other.safetensors"))


def test_an_exported_file_says_what_it_is(tmp_path):
    started = recipe(tmp_path)
    path = export.write(started, started.model.state_dict(), tmp_path / "ours.safetensors", {"accuracy": "AP 1"}, half=True)
    vpipe.record("ssh", "mobilenet0.25", path)
    with safe_open(str(path), "pt") as file:
        notes = file.metadata()
    assert notes["checksum"].startswith("sha256:") and notes["accuracy"] == "AP 1" and notes["trained_at"] == "64x64"
    assert "input_size" not in notes  # of the crops, not of the pictures that nodes see
    assert vpipe.run("models", "info", path).splitlines()[-1].endswith("the tensors are those of the checksum")
