# SPDX-License-Identifier: Apache-2.0
"""Labels of faces in the layouts that people have, and what is said where they are wrong."""
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vpipe_training.data import faces

BOX = [10, 20, 40, 60]  # corners, in a photograph of 100 by 80


def photos(folder, names=("a.jpg", "b.jpg")):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((80, 100, 3), np.uint8))


def coco(names=("face",), box=(10, 20, 30, 40), **more):
    return {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
            "annotations": [{"image_id": 1, "category_id": 5, "bbox": list(box), **more}],
            "categories": [{"id": 5 + i, "name": name} for i, name in enumerate(names)]}


def voc(name="face", **more):
    fields = "".join(f"<{key}>{value}</{key}>" for key, value in
                     {"xmin": 10, "ymin": 20, "xmax": 40, "ymax": 60, **more}.items() if value is not None)
    return (f"<annotation><filename>a.jpg</filename><object><name>{name}</name><bndbox>{fields}</bndbox></object>"
            "<object><name>face</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>"
            "<ymax>9</ymax></bndbox></object></annotation>")


def written(folder, files, images="images"):
    photos(folder / images)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


LAYOUTS = {
    "list": {"labels.json": [{"file": "a.jpg", "boxes": [BOX]}, {"file": "b.jpg", "boxes": []}]},
    "coco": {"instances.json": coco()},
    "coco of many classes": {"annotations/train.json": coco(("Face", "dog"))},
    "voc": {"Annotations/a.xml": voc()},
    "dlib": {"d.xml": "<dataset><images><image file='a.jpg'><box left='10' top='20' width='30' height='40'/></image>"
                      "</images></dataset>"},
    "yolo": {"labels/a.txt": "0 0.25 0.5 0.3 0.5\n", "labels/b.txt": ""},
    "yolo of many classes": {"labels/a.txt": "1 0.25 0.5 0.3 0.5\n0 0.1 0.1 0.1 0.1\n",
                             "data.yaml": "path: .\nnames:\n  0: dog\n  1: face # ours\n".replace(" # ours", "")},
    "yolo with a list of names": {"labels/a.txt": "1 0.25 0.5 0.3 0.5\n", "data.yaml": "names: ['dog', 'face']\n"},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_says_the_same(name, tmp_path):
    found = faces.load(written(tmp_path, LAYOUTS[name]))
    assert np.allclose(found[0].boxes, [BOX], atol=1e-4)
    assert np.isnan(found[0].points).all() and found[0].points.shape == (1, 10)


def test_landmarks_and_ignored_boxes(tmp_path):
    points = [float(v) for v in range(10, 20)]
    files = {"labels.json": [{"file": "a.jpg", "boxes": [BOX, BOX], "points": [points, None], "ignored": [[1, 2, 9, 9]]}]}
    photo, = faces.load(written(tmp_path / "list", files))
    assert photo.points[0].tolist() == points and np.isnan(photo.points[1]).all()
    assert photo.ignored.tolist() == [[1, 2, 9, 9]]
    keypoints = [v for x, y in zip(points[::2], points[1::2]) for v in (x, y, 2)]
    photo = faces.load(written(tmp_path / "coco", {"i.json": coco(keypoints=keypoints)}))[0]
    assert photo.points[0].tolist() == points
    photo = faces.load(written(tmp_path / "crowd", {"i.json": coco(iscrowd=1)}))[0]
    assert not len(photo.boxes) and photo.ignored.tolist() == [BOX]
    marks = " ".join(f"{v / (100 if i % 2 == 0 else 80)}" for i, v in enumerate(points))
    photo, = faces.load(written(tmp_path / "yolo", {"labels/a.txt": f"0 0.25 0.5 0.3 0.5 {marks}\n"}))
    assert np.allclose(photo.points[0], points)
    assert faces.load(written(tmp_path / "voc", {"a.xml": voc()}))[0].ignored.tolist() == [[1, 2, 9, 9]]


def test_a_stretched_photograph_gets_its_shape_back(tmp_path):
    files = {"labels_x.json": [{"file": "a.jpg", "boxes_416": [BOX], "orig_w": 400, "orig_h": 200}]}
    photo, = faces.load(written(tmp_path, files))
    assert photo.image.shape == (80, 160, 3) and np.allclose(photo.boxes, [[16, 20, 64, 60]])


FAULTS = [
    ({"labels.json": "[{"}, "labels.json:1:3: is no JSON"),
    ({"labels.json": {"a": 1}}, "expected a list of photographs"),
    ({"labels.json": [{"boxes": []}]}, "[0]: expected a text as \"file\", found \"nothing\""),
    ({"labels.json": [{"file": "a.jpg"}]}, "[0]: expected a list as \"boxes\""),
    ({"labels.json": [{"file": "a.jpg", "boxes": [[1, 2, 3]]}]}, "[0].boxes[0]: expected x1, y1, x2, y2, found [1, 2, 3]"),
    ({"labels.json": [{"file": "a.jpg", "boxes": [], "orig_w": 4}]}, "expected a number as \"orig_h\""),
    ({"labels.json": [{"file": "c.jpg", "boxes": []}]}, "c.jpg: is labelled, but there is no such photograph"),
    ({"i.json": {"images": []}}, "expected a list as \"annotations\""),
    ({"i.json": coco(("cat", "dog"))}, "which of its classes is the face? Expected one called \"face\", found cat, dog"),
    ({"i.json": coco(box=(1, 2, 3))}, "annotations[0].bbox[0]: expected x, y, width, height"),
    ({"i.json": coco() | {"images": []}}, "annotations[0]: there is no image 1"),
    ({"a.xml": "<annotation>"}, "a.xml:1:12: is no XML"),
    ({"a.xml": voc(xmax=None)}, "expected a box of xmin, ymin, xmax, ymax"),
    ({"labels/a.txt": "0 0.5 0.5 x 0.5\n"}, "a.txt:1: expected numbers"),
    ({"labels/a.txt": "\n0 0.5 0.5 0.5\n"}, "a.txt:2: expected 5 finite numbers"),
    ({"labels/a.txt": "0 50 50 10 10\n"}, "a.txt:1: expected centre and size in parts of the photograph"),
    ({"label.txt": "# a.jpg\n1 2 3\n"}, "label.txt:2: expected 19 finite numbers"),
    ({"wider_face_x_bbx_gt.txt": "a.jpg\nb.jpg\n"}, "wider_face_x_bbx_gt.txt:2: expected the number of faces of a.jpg"),
    ({"wider_face_x_bbx_gt.txt": "a.jpg\n2\n1 2 3 4\n"}, "expected 4 finite numbers"),
    ({}, "no labelled photographs; expected label.txt"),
]


@pytest.mark.parametrize("files, message", FAULTS, ids=[message[:40] for _, message in FAULTS])
def test_what_is_wrong_is_said(files, message, tmp_path):
    with pytest.raises(SystemExit) as error:
        faces.load(written(tmp_path, files))
    assert message in str(error.value) and str(tmp_path) in str(error.value)


def test_a_photograph_that_is_none(tmp_path):
    (written(tmp_path, LAYOUTS["list"]) / "images/b.jpg").write_text("no picture")
    with pytest.raises(SystemExit, match="b.jpg: not a readable image"):
        faces.load(tmp_path)


def test_a_mistake_is_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "vpipe_training", "label", "--teacher", "retina=x", "--data", f"media:{tmp_path}",
               "--out", str(tmp_path / "out")]
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("vpipe_training: retina=x: expected KIND=FILE") and done.stderr.count("\n") == 1
