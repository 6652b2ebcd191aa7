# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from vpipe_training import anchors
from vpipe_training.anchors import RETINAFACE, SSH
from vpipe_training.data import faces, generated
from vpipe_training.data.face_canvas import FaceCanvas
from vpipe_training.losses import faces as losses
from vpipe_training.metrics import faces as metrics
from vpipe_training.recipes import RECIPES
from vpipe_training.recipes.base import Options

FACES = np.float32([[20, 30, 52, 62], [100, 40, 112, 52]])


@pytest.mark.parametrize("layout", [RETINAFACE, SSH])
def test_boxes_survive_encoding(layout):
    grid = layout.boxes(160, 128)
    assert len(grid) == sum(layout.levels(160, 128))
    boxes = np.resize(FACES, (len(grid), 4))
    assert np.allclose(layout.decode(layout.encode(boxes, grid), grid), boxes, atol=1e-2)


def test_anchors_lie_where_the_pipeline_has_them():
    assert RETINAFACE.boxes(32, 32)[:3].tolist() == [[4, 4, 10, 10], [4, 4, 20, 20], [12, 4, 10, 10]]
    assert SSH.boxes(32, 32)[:3].tolist() == [[8, 8, 16, 16], [8, 8, 32, 32], [16, 8, 16, 16]]


def test_every_face_owns_an_anchor_and_ignored_ones_none():
    grid = RETINAFACE.boxes(160, 128)
    labels, owner = anchors.match(FACES, np.array([False, True]), grid)
    assert set(owner[labels == anchors.FACE]) == {0}
    assert (labels == anchors.IGNORED).any()
    labels, _ = anchors.match(np.zeros((0, 4), np.float32), np.zeros(0, bool), grid)
    assert (labels == anchors.BACKGROUND).all()


def test_modules_take_faces_of_their_own_scale():
    faces_of_all_sizes = np.float32([[10, 10, 30, 30], [20, 20, 110, 110]])
    levels = SSH.levels(160, 160)
    labels, owner = anchors.match_per_module(faces_of_all_sizes, np.zeros(2, bool), SSH.boxes(160, 160), levels)
    first, second = labels[:levels[0]], labels[levels[0]:sum(levels[:2])]
    assert set(owner[:levels[0]][first == 1]) == {0}
    assert set(owner[levels[0]:sum(levels[:2])][second == 1]) == {1}


def test_hard_negatives_are_the_worst_ones():
    loss = torch.arange(20.0)[None]
    labels = torch.zeros(1, 20, dtype=torch.long)
    labels[0, 0], labels[0, 19] = anchors.FACE, anchors.IGNORED
    chosen = losses.hard_negative_mining(loss, labels, ratio=3, least=1)[0].nonzero().flatten().tolist()
    assert chosen == [0, 16, 17, 18]


def test_a_teachers_finds_cost_nothing_where_they_are_met():
    grid = SSH.boxes(64, 64)
    logits = torch.zeros(1, len(grid), 2)
    found = {"labels": torch.zeros(1, len(grid), dtype=torch.long), "scores": torch.zeros(1, len(grid)),
             "boxes": torch.zeros(1, len(grid), 4)}
    found["labels"][0, 5], found["scores"][0, 5] = anchors.FACE, 0.7
    logits[0, :, 1] = -20
    missed = losses.found_by_teacher(torch.zeros(1, len(grid), 4), logits, found)
    logits[0, 5, 1] = float(np.log(0.7 / 0.3))
    met = losses.found_by_teacher(torch.zeros(1, len(grid), 4), logits, found)
    assert float(met["teacher_class"]) < 1e-4 < 1 < float(missed["teacher_class"])
    off = losses.found_by_teacher(torch.ones(1, len(grid), 4), logits, found)
    assert float(met["teacher_box"]) == 0 and float(off["teacher_box"]) == pytest.approx(2 * 0.7)


def test_a_teachers_finds_are_put_on_the_students_anchors(tmp_path):
    recipe = RECIPES["ssh"](Options(size=160, folder=tmp_path))
    recipe.dataset = FaceCanvas(([], [faces.Photo(np.zeros((9, 9, 3), np.uint8), [])]), 160, SSH, recipe.match, seed=1)
    recipe.finder = lambda images: [(FACES, np.float32([0.9, 0.4]), None), (FACES[:0], np.zeros(0, np.float32), None)]
    found = recipe.found(torch.zeros(2, 160, 160, 3, dtype=torch.uint8))
    own = found["labels"][0] == anchors.FACE
    decoded = SSH.decode(found["boxes"][0].numpy(), recipe.dataset.grid)[own]
    assert anchors.iou(decoded, FACES).max(1).min() > 0.99
    assert set(found["scores"][0][own].tolist()) == {float(np.float32(0.9)), float(np.float32(0.4))}
    assert not (found["labels"][1] == anchors.FACE).any() and float(found["scores"][1].max()) == 0


def test_suppression_keeps_the_best():
    boxes = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]])
    assert anchors.suppress(boxes, np.float32([0.5, 0.9, 0.4])).tolist() == [1, 2]


def test_average_precision_ignores_small_faces():
    truth = np.float32([[0, 0, 20, 20], [50, 50, 58, 58]])
    found, scores = np.float32([[50, 50, 58, 58], [0, 0, 20, 20]]), np.float32([0.9, 0.8])
    figures = metrics.evaluate([(found, scores, truth)])
    assert figures["AP"] == 100 and figures["faces"] == 1
    assert metrics.evaluate([(found[:1] + 100, scores[:1], truth)])["AP"] == 0


def test_layouts(tmp_path, rng):
    photos = faces.load(generated.faces(tmp_path / "wider", rng, count=3), "all")
    assert len(photos) == 3 and not np.isnan(photos[0].points).any()
    middle = (photos[0].boxes[:, :2] + photos[0].boxes[:, 2:]) / 2
    assert np.abs(photos[0].points[:, 4:6] - middle).max() < 20  # noses are near the middle
    listing = "drawn/0.png\n2\n1 2 30 40 0 0 0 0 0 0\n5 5 1 1 0 0 0 1 0 0\ndrawn/1.png\n0\n0 0 0 0 0 0 0 0 0 0\n"
    (tmp_path / "wider" / "label.txt").unlink()
    (tmp_path / "wider" / "wider_face_train_bbx_gt.txt").write_text(listing)
    photos = faces.load(tmp_path / "wider", "all")
    assert [len(p.boxes) for p in photos] == [1, 0] and len(photos[0].ignored) == 1
    assert photos[0].boxes.tolist() == [[1, 2, 31, 42]]


def test_canvas_targets_decode_to_faces_of_the_canvas(tmp_path, rng):
    photos = faces.load(generated.faces(tmp_path, rng, count=4), "all")
    canvas = FaceCanvas((photos, []), 160, RETINAFACE, anchors.match, seed=1)
    seen = 0
    for index in range(20):
        boxes = canvas.canvas(np.random.default_rng([1, index]))[1]
        sample = canvas[(index, 0.0)]
        own = sample["labels"] == anchors.FACE
        decoded = RETINAFACE.decode(sample["boxes"], canvas.grid)[own]
        if len(decoded):
            assert anchors.iou(decoded, boxes).max(1).min() > 0.99
            seen += len(decoded)
        assert sample["image"].shape == (160, 160, 3)
    assert seen > 20


def test_overlaps_are_those_of_the_definition(rng):
    def plain(a, b):
        w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = max(w, 0) * max(h, 0)
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

    low = rng.uniform(0, 50, (30, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 40, (30, 2))], 1)
    expected = [[plain(a, b) for b in boxes[:7]] for a in boxes]
    assert np.allclose(anchors.iou(boxes, boxes[:7]), expected)
    assert anchors.iou(boxes, boxes[:0]).shape == (30, 0)
