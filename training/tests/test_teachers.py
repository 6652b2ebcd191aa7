# SPDX-License-Identifier: Apache-2.0
"""Detectors of other projects: their outputs decoded, and several of them fused."""
import json

import numpy as np
import pytest

from vpipe_training import face_teachers as teachers
from vpipe_training import label
from vpipe_training.data import faces, generated

openvino = pytest.importorskip("openvino")


def finds(*rows):
    """Rows of a box and a score, best first."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return teachers.Finds(table[:, :4], table[:, 4], np.arange(len(table) * 10, dtype=np.float32).reshape(-1, 10))


def test_yunet_is_decoded_by_its_definition():
    values = {}
    for stride in (8, 16, 32):
        cells = (64 // stride) * (96 // stride)
        values |= {f"cls_{stride}": np.zeros((1, cells, 1)), f"obj_{stride}": np.zeros((1, cells, 1)),
                   f"bbox_{stride}": np.zeros((1, cells, 4)), f"kps_{stride}": np.zeros((1, cells, 10))}
    cell = 2 * 6 + 3  # third row, fourth column of stride 16
    values["cls_16"][0, cell], values["obj_16"][0, cell] = 0.81, 1
    values["bbox_16"][0, cell] = [0.5, 0.25, np.log(2), np.log(1)]
    values["kps_16"][0, cell, :2] = [1, -1]
    found = teachers.YuNet.decode(values, 12, 0.1)
    assert np.allclose(found.boxes, [[56 - 16, 36 - 8, 56 + 16, 36 + 8]]) and np.allclose(found.scores, 0.9)
    assert np.allclose(found.points[0, :4], [64, 16, 48, 32])


def test_centerface_is_decoded_by_its_definition():
    values = {"537": np.zeros((1, 1, 8, 8)), "538": np.zeros((1, 2, 8, 8)), "539": np.zeros((1, 2, 8, 8)),
              "540": np.zeros((1, 10, 8, 8))}
    values["537"][0, 0, 3, 5] = 0.7
    values["538"][0, :, 3, 5] = [np.log(4), np.log(2)]  # height 16, width 8
    values["539"][0, :, 3, 5] = [0.25, 0.5]
    values["540"][0, :2, 3, 5] = [0.5, 1]  # y before x
    found = teachers.CenterFace.decode(values, 4, 0.1)
    assert np.allclose(found.boxes, [[20, 7, 28, 23]]) and np.allclose(found.scores, 0.7)
    assert np.allclose(found.points[0, :2], [28, 15])


def test_fusion_is_the_weighted_mean_and_absence_counts():
    first = finds([0, 0, 10, 10, 0.9], [100, 100, 120, 120, 0.4])
    second = finds([2, 0, 12, 10, 0.3], [50, 50, 60, 60, 0.8])
    fused = teachers.fuse([first, second])
    assert np.allclose(fused.boxes, [[0.5, 0, 10.5, 10], [50, 50, 60, 60], [100, 100, 120, 120]])
    assert np.allclose(fused.scores, [0.6, 0.4, 0.2])
    assert fused.points[0].tolist() == first.points[0].tolist()
    # Two finds of one detector are two faces, however near.
    near = teachers.fuse([finds([0, 0, 10, 10, 0.9], [1, 0, 11, 10, 0.8]), finds()])
    assert near.scores.tolist() == pytest.approx([0.45, 0.4])
    assert len(teachers.fuse([finds(), finds()]).scores) == 0


def test_labels_of_an_ensemble_are_read_back(tmp_path, rng):
    found = finds([10, 10, 40, 50, 0.9], [60, 60, 80, 80, 0.35], [90, 90, 99, 99, 0.1])
    ensemble = teachers.Ensemble([lambda image: found])
    folder = generated.media(tmp_path / "media", rng)
    rows = label.write(ensemble, [folder], tmp_path / "out")
    photos = faces.load(tmp_path / "out")
    assert len(rows) == len(photos) == 3  # the photograph, and every twelfth of 24 frames
    assert photos[0].boxes.tolist() == [[10, 10, 40, 50]] and photos[0].ignored.tolist() == [[60, 60, 80, 80]]
    assert photos[0].points[0].tolist() == list(range(10))
    assert json.loads((tmp_path / "out/labels.json").read_text())[0]["file"] == "00000.jpg"


def test_a_network_of_another_kind_is_refused(tmp_path):
    from openvino import opset8 as op

    image = op.parameter([1, 3, 32, 32], np.float32, name="image")
    model = openvino.Model([op.relu(image)], [image], "none")
    openvino.save_model(model, str(tmp_path / "m.xml"))
    with pytest.raises(SystemExit, match="no yunet, its outputs .* are missing"):
        teachers.detector(f"yunet={tmp_path / 'm.xml'}")
    for text in ("yunet", "other=x", "yunet@9=x", "yunet@big=x"):
        with pytest.raises(SystemExit, match="expected KIND=FILE"):
            teachers.detector(text)
    with pytest.raises(SystemExit, match="no such file"):
        teachers.detector("centerface=nowhere.onnx")
