# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from vpipe_training.data import generated, segmentation
from vpipe_training.losses import segmentation as losses
from vpipe_training.metrics import segmentation as metrics
from vpipe_training.recipes import RECIPES
from vpipe_training.recipes.base import Options
from vpipe_training.recipes.ddrnet import ensemble


def test_easy_pixels_do_not_count():
    logits = torch.zeros(1, 2, 1, 100)
    logits[:, 0] = 9.0
    target = torch.zeros(1, 1, 100, dtype=torch.long)
    target[..., :50] = 1  # half of it is wrong
    wrong = torch.nn.functional.cross_entropy(logits[..., :50], target[..., :50])
    assert losses.ohem_cross_entropy(logits, target) == pytest.approx(float(wrong), rel=1e-5)


def test_ignored_pixels_do_not_count():
    logits = torch.randn(1, 3, 4, 4)
    nothing = torch.full((1, 4, 4), losses.IGNORED)
    assert losses.ohem_cross_entropy(logits, nothing) == 0


def test_mean_iou():
    truth = np.array([[0, 0, 1, 1, losses.IGNORED]])
    found = np.array([[0, 1, 1, 1, 0]])
    figures = metrics.scores(metrics.confusion(found, truth, 2), ["a", "b"])
    assert figures["a"] == 50 and figures["b"] == pytest.approx(66.7) and figures["mIoU"] == pytest.approx(58.33)


def test_crops_carry_their_labels(tmp_path, rng):
    photos, labels = segmentation.load(generated.streets(tmp_path, rng), "train")
    streets = segmentation.Streets(photos, labels, 11, (96, 64), seed=2)
    for index in range(5):
        sample = streets[(index, 0.0)]
        assert sample["image"].shape == (64, 96, 3) and sample["label"].shape == (64, 96)
        assert set(np.unique(sample["label"])) <= {0, 1, 3, 8, losses.IGNORED}
    again = segmentation.Streets(photos, labels, 11, (96, 64), seed=2)[(3, 0.5)]
    assert np.array_equal(again["image"], streets[(3, 0.0)]["image"])


def test_cityscapes_layout(tmp_path):
    import cv2

    for part, name, value in (("leftImg8bit", "leftImg8bit", 90), ("gtFine", "gtFine_labelIds", 7)):
        (tmp_path / part / "val" / "ulm").mkdir(parents=True)
        shape = (8, 16, 3) if part == "leftImg8bit" else (8, 16)
        cv2.imwrite(str(tmp_path / part / "val" / "ulm" / f"ulm_0_{name}.png"), np.full(shape, value, np.uint8))
    photos, labels = segmentation.load(tmp_path, "val")
    assert len(photos) == 1 and (labels[0] == 0).all() and segmentation.classes(tmp_path)[0] == "road"


def test_probabilities_lie_under_their_crop(tmp_path, rng):
    """Soft maps made of the labels themselves, a quarter as large: where a crop's cell has one label, it is the likeliest."""
    folder = generated.streets(tmp_path, rng, size=(320, 256))
    photos, labels = segmentation.load(folder, "train")
    quarter = [np.stack([(l[2::4, 2::4] == c).astype(np.uint8) * 255 for c in range(11)]) for l in labels]
    np.savez(tmp_path / "soft.npz", names=[f"train/{n}.png" for n in segmentation.names(folder, "train")][:2],
             probability=np.stack(quarter[:2]))
    given = segmentation.soft(tmp_path / "soft.npz", 11)
    soft = [given.get(name) for name in segmentation.names(folder, "train")]
    assert [m is None for m in soft] == [False, False, True]
    streets, seen = segmentation.Streets(photos, labels, 11, (96, 64), seed=2, soft=soft), 0
    for index in range(30):
        sample = streets[(index, 0.0)]
        assert sample["soft"].shape == (11, 8, 12) and sample["known"].shape == (8, 12)
        cells = sample["label"].reshape(8, 8, 12, 8).transpose(0, 2, 1, 3).reshape(8, 12, 64)
        alike = (cells.min(-1) == cells.max(-1)) & (cells[..., 0] != losses.IGNORED) & (sample["known"] > 0)
        likeliest = sample["soft"].argmax(0)
        # An object thinner than a cell of the soft map may be missed by it.
        assert (likeliest[alike] == cells[..., 0][alike]).mean() > 0.98 if alike.any() else True
        seen += int(alike.sum())
    assert seen > 500
    assert segmentation.Streets(photos, labels, 11, (96, 64), seed=2)[(0, 0.0)].keys() == {"image", "label"}


@pytest.mark.parametrize("arrays, text", [
    ({"names": ["a"]}, "names and probability"),
    ({"names": ["a"], "probability": np.zeros((1, 11, 4, 4), np.float32)}, r"found float32 \[1, 11, 4, 4\]"),
    ({"names": ["a", "b"], "probability": np.zeros((1, 11, 4, 4), np.uint8)}, r"expected probability as uint8 \[2, 11"),
])
def test_an_archive_of_something_else_is_refused(arrays, text, tmp_path):
    np.savez(tmp_path / "soft.npz", **arrays)
    with pytest.raises(SystemExit, match=text):
        segmentation.soft(tmp_path / "soft.npz", 11)


def test_given_probabilities_cost_nothing_where_they_are_met():
    wanted = torch.rand(2, 5, 3, 4) + 0.1
    logits = (wanted / wanted.sum(1, keepdim=True)).log()
    known = torch.ones(2, 3, 4)
    assert float(losses.softened(logits, wanted, known)) == pytest.approx(0, abs=1e-6)
    assert float(losses.softened(-logits, wanted, known)) > 0.1
    known[0] = 0
    off = logits.clone()
    off[0] = 0
    assert float(losses.softened(off, wanted, known)) == pytest.approx(0, abs=1e-6)


def test_a_teacher_and_given_probabilities_are_averaged_on_streets_alone():
    teacher = torch.tensor([0.2, 0.8]).view(1, 2, 1, 1).expand(3, 2, 1, 2)
    soft = torch.tensor([0.6, 0.4]).view(1, 2, 1, 1).expand(3, 2, 1, 2)
    known = torch.tensor([[1.0, 0], [1, 0], [0, 0]]).view(3, 1, 2)
    label = torch.full((3, 8, 16), losses.IGNORED)
    label[[0, 2], 0, 0] = 1  # the second is no street
    mean, counted = ensemble(soft, known, teacher, label)
    assert mean[0, 1, 0].tolist() == pytest.approx([0.6, 0.8]) and mean[2, 1, 0].tolist() == pytest.approx([0.8, 0.8])
    assert mean[1, 1, 0].tolist() == pytest.approx([0.4, 0.4])
    assert counted.flatten().tolist() == [1, 1, 1, 0, 1, 1]


def test_what_is_no_street_is_to_be_any_class(tmp_path, rng):
    recipe = RECIPES["ddrnet"](Options(
        {"streets": [str(generated.streets(tmp_path / "a", rng))], "media": [str(generated.media(tmp_path / "b", rng))]},
        size=64, folder=tmp_path))
    recipe.prepare()
    strange = [s for s in (recipe.dataset[(i, 0.0)] for i in range(40)) if (s["label"] == losses.IGNORED).all()]
    assert strange
    for sample in strange:
        assert set(np.unique(sample["soft"][:, sample["known"] > 0])) == {round(255 / 11)} and sample["known"].any()
