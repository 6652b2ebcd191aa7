# SPDX-License-Identifier: Apache-2.0
"""Photographs with faces: WIDER FACE (boxes, or RetinaFace's labels with landmarks), dlib's XML, and a teacher's finds."""
import json
import xml.etree.ElementTree as XML
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from . import images


@dataclass
class Photo:
    """An image with boxes [n, 4] (corners, pixels), landmarks [n, 10] (NaN where unknown) and boxes to ignore [m, 4]."""

    image: np.ndarray
    boxes: np.ndarray
    points: np.ndarray = None
    ignored: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def __post_init__(self):
        self.boxes = np.asarray(self.boxes, np.float32).reshape(-1, 4)
        if self.points is None:
            self.points = np.full((len(self.boxes), 10), np.nan, np.float32)
        self.half = cv2.resize(self.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def load(folder, split="all"):
    """Photos of a folder, by what lies in it; `held` keeps every third photo by name back from `train`.

    `label.txt` (WIDER FACE with landmarks, as RetinaFace's authors publish it), `wider_face_*_bbx_gt.txt` (WIDER FACE),
    `labels_416.json` (photographs stretched to 416x416, with their true shape), or dlib's `*.xml`.
    """
    folder = Path(folder)
    if (folder / "label.txt").exists():
        entries = list(_landmark_labels(folder / "label.txt"))
    elif listed := sorted(folder.glob("**/wider_face_*_bbx_gt.txt")):
        entries = [entry for path in listed for entry in _wider_labels(path)]
    elif (folder / "labels_416.json").exists():
        return _split([_unstretched(folder, e) for e in _sorted_json(folder / "labels_416.json")], split)
    else:
        entries = [entry for path in sorted(folder.glob("*.xml")) for entry in _dlib_labels(path)]
    photos = [Photo(images.read(path), boxes, points, ignored) for path, boxes, points, ignored in
              ((_find(folder, name), *rest) for name, *rest in entries) if path]
    if not photos:
        raise SystemExit(f"{folder}: no label.txt, wider_face_*_bbx_gt.txt, labels_416.json or XML with photographs")
    return _split(photos, split)


def _split(photos, split):
    return [p for i, p in enumerate(photos) if split == "all" or (i % 3 == 0) == (split == "held")]


def _find(folder, name):
    for place in (folder, folder / "images"):
        if (place / name).is_file():
            return place / name
    return next(iter(folder.glob(f"**/{name}")), None)


def _landmark_labels(path):
    """Lines of `x y w h` and five times `x y flag`; a line that starts with # names the photograph."""
    name, rows = None, []
    for line in [*path.read_text().splitlines(), "#"]:
        if not line.startswith("#"):
            rows.append([float(v) for v in line.split()])
            continue
        if name:
            table = np.array([row[:19] for row in rows], np.float32).reshape(-1, 19)
            boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], 1)
            points = table[:, 4:19].reshape(-1, 5, 3)[:, :, :2].reshape(-1, 10).copy()
            points[table[:, 4] < 0] = np.nan
            yield name, boxes, points, np.zeros((0, 4), np.float32)
        name, rows = line[1:].strip(), []


def _wider_labels(path):
    """The official lists: a name, a count, and lines of `x y w h blur expression illumination invalid ...`."""
    lines = iter(path.read_text().splitlines())
    for name in lines:
        count = int(next(lines))
        rows = np.array([[float(v) for v in next(lines).split()] for _ in range(max(1, count))], np.float32)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1)[:count]
        invalid = (rows[:count, 7] > 0) | (rows[:count, 2:4].min(1, initial=1e9) < 2)
        yield name.strip(), boxes[~invalid], None, boxes[invalid]


def _dlib_labels(path):
    for entry in XML.parse(path).getroot().iter("image"):
        rows = [[float(box.get(k)) for k in ("left", "top", "width", "height")] for box in entry.iter("box")]
        boxes = np.array(rows, np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        yield entry.get("file"), boxes, None, np.zeros((0, 4), np.float32)


def _sorted_json(path):
    return sorted(json.loads(path.read_text()), key=lambda entry: entry["file"])


def _unstretched(folder, entry):
    """The photograph in its true shape, not enlarged."""
    image, shape = images.read(folder / entry["file"]), entry["orig_w"] / entry["orig_h"]
    height, width = image.shape[:2]
    w, h = (int(height * shape), height) if shape >= 1 else (width, int(width / shape))
    boxes = np.array(entry["boxes_416"], np.float32).reshape(-1, 4) * np.float32([w / width, h / height] * 2)
    return Photo(cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR), boxes)
