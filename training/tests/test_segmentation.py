# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from vpipe_training.data import generated, segmentation
from vpipe_training.losses import segmentation as losses
from vpipe_training.metrics import segmentation as metrics


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
