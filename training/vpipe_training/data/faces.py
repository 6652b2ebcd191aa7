# SPDX-License-Identifier: Apache-2.0
"""Photographs with faces: WIDER FACE (boxes, or RetinaFace's labels with landmarks), dlib's XML, COCO, VOC, YOLO, vpipe's list."""
import json
import xml.etree.ElementTree as XML
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from . import images
from .video import PHOTOS

LAYOUTS = ("label.txt, wider_face_*_bbx_gt.txt, labels*.json, COCO's JSON, dlib's or VOC's XML, or YOLO's labels/*.txt")


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
    `labels*.json` (vpipe's list), a JSON file in COCO's layout, `*.xml` of dlib or of VOC, or YOLO's `labels/*.txt`. Of
    several classes the one called "face" counts. `SystemExit` with the file, the place and what is expected there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder")
    entries = list(_entries(folder))
    photos = []
    for name, boxes, points, ignored, shape in entries:
        if not (path := _find(folder, name)):
            raise SystemExit(f"{folder}: {name}: is labelled, but there is no such photograph in the folder or its images/")
        try:
            image = images.read(path)
        except OSError as error:
            raise SystemExit(str(error))
        photos.append(_unstretched(image, boxes, shape) if shape else Photo(image, boxes, points, ignored))
    if not photos:
        raise SystemExit(f"{folder}: no labelled photographs; expected {LAYOUTS}")
    return [p for i, p in enumerate(photos) if split == "all" or (i % 3 == 0) == (split == "held")]


def _entries(folder):
    """(name, boxes, landmarks or None, boxes to ignore, true shape or None) of each photograph."""
    none = np.zeros((0, 4), np.float32)
    if (folder / "label.txt").exists():
        return ((*entry, none, None) for entry in _landmark_labels(folder / "label.txt"))
    if listed := sorted(folder.glob("**/wider_face_*_bbx_gt.txt")):
        return ((name, boxes, None, ignored, None) for path in listed for name, boxes, ignored in _wider_labels(path))
    if listed := sorted(folder.glob("labels*.json")):
        return _listed_labels(listed[0])
    if found := [path for path in sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")])]:
        return ((*entry, None) for path in found for entry in _coco_labels(path))
    if found := sorted([*folder.glob("*.xml"), *folder.glob("Annotations/*.xml")]):
        return ((*entry, None) for entry in _xml_labels(found))
    return ((*entry, None) for entry in _yolo_labels(folder))


def _find(folder, name):
    for place in (folder, folder / "images", folder / "JPEGImages"):
        if (place / name).is_file():
            return place / name
    return next((path for path in folder.glob(f"**/{name}") if path.is_file()), None)


def _numbers(path, number, line, least):
    """The numbers of a line of a text file."""
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        raise SystemExit(f"{path}:{number}: expected numbers, found \"{line.strip()[:60]}\"")
    if len(values) < least or not np.isfinite(values).all():
        raise SystemExit(f"{path}:{number}: expected {least} finite numbers, found \"{line.strip()[:60]}\"")
    return values


def _corners(left_top_size):
    """[n, 4] of x, y, width, height as corners."""
    table = np.asarray(left_top_size, np.float32).reshape(-1, 4)
    return np.concatenate([table[:, :2], table[:, :2] + table[:, 2:]], 1)


def _landmark_labels(path):
    """Lines of `x y w h` and five times `x y flag`; a line that starts with # names the photograph."""
    name, rows = None, []
    for number, line in enumerate([*path.read_text().splitlines(), "#"], 1):
        if not line.startswith("#"):
            if line.strip():
                rows.append(_numbers(path, number, line, 19)[:19])
            continue
        if name:
            table = np.array(rows, np.float32).reshape(-1, 19)
            points = table[:, 4:19].reshape(-1, 5, 3)[:, :, :2].reshape(-1, 10).copy()
            points[table[:, 4] < 0] = np.nan
            yield name, _corners(table[:, :4]), points
        elif rows:
            raise SystemExit(f"{path}:{number - 1}: a face before the first \"# PHOTOGRAPH\"")
        name, rows = line[1:].strip(), []


def _wider_labels(path):
    """The official lists: a name, a count, and lines of `x y w h blur expression illumination invalid ...`."""
    lines = iter(enumerate(path.read_text().splitlines(), 1))
    for number, name in lines:
        number, line = next(lines, (number + 1, ""))
        if not line.strip().isdigit():
            raise SystemExit(f"{path}:{number}: expected the number of faces of {name.strip()}, found \"{line.strip()}\"")
        count, rows = int(line), []
        for _ in range(max(1, count)):
            number, line = next(lines, (number + 1, ""))
            rows.append(_numbers(path, number, line, 4))
        table = np.array([row[:4] for row in rows], np.float32)[:count]
        invalid = np.array([len(row) > 7 and row[7] > 0 for row in rows], bool)[:count] | (table[:, 2:].min(1, initial=1e9) < 2)
        boxes = _corners(table)
        yield name.strip(), boxes[~invalid], boxes[invalid]


def _json(path):
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise SystemExit(f"{path}:{error.lineno}:{error.colno}: is no JSON: {error.msg}")
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path}: {error}")


def _get(path, place, item, key, kind):
    """`item[key]` where it is of the kind; a message otherwise."""
    if not isinstance(item, dict) or not isinstance(item.get(key), kind):
        names = {list: "a list", str: "a text", int: "a whole number", dict: "an object", (int, float): "a number"}
        found = item.get(key, "nothing") if isinstance(item, dict) else item
        raise SystemExit(f"{path}: {place}: expected {names[kind]} as \"{key}\", found {json.dumps(found)[:60]}")
    return item[key]


def _table(path, place, rows, width, what):
    """Rows of `width` finite numbers as an array."""
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width or not all(
                isinstance(v, (int, float)) and np.isfinite(v) for v in row):
            raise SystemExit(f"{path}: {place}[{index}]: expected {what}, found {json.dumps(row)[:60]}")
    return np.array(rows, np.float32).reshape(-1, width)


def _listed_labels(path):
    """vpipe's list, as `vpipe models eval` reads it.

    `[{"file": NAME, "boxes": [[x1, y1, x2, y2], ...]}, ...]`, where wanted with `"points"`, ten numbers or null for each
    box, and `"ignored"`, more boxes. `"boxes_416"` and the like are boxes, too; `"orig_w"` and `"orig_h"` are the true shape
    of a photograph that was stretched.
    """
    if not isinstance(items := _json(path), list):
        raise SystemExit(f"{path}: expected a list of photographs, [{{\"file\": NAME, \"boxes\": [[x1, y1, x2, y2]]}}]")
    names = [_get(path, f"[{index}]", item, "file", str) for index, item in enumerate(items)]
    for index in sorted(range(len(items)), key=lambda index: names[index]):
        item, place = items[index], f"[{index}]"
        key = next((k for k in item if k == "boxes" or k.startswith("boxes_")), "boxes")
        boxes = _table(path, f"{place}.{key}", _get(path, place, item, key, list), 4, "x1, y1, x2, y2")
        ignored = _table(path, f"{place}.ignored", item.get("ignored", []), 4, "x1, y1, x2, y2")
        points = item.get("points", [None] * len(boxes))
        if len(points) != len(boxes):
            raise SystemExit(f"{path}: {place}.points: {len(points)} for {len(boxes)} boxes")
        known = _table(path, f"{place}.points", [row for row in points if row], 10, "x and y of five points")
        marks = np.full((len(boxes), 10), np.nan, np.float32)
        marks[[i for i, row in enumerate(points) if row]] = known
        shape = None
        if "orig_w" in item or "orig_h" in item:
            width, height = (_get(path, place, item, side, (int, float)) for side in ("orig_w", "orig_h"))
            if min(width, height) <= 0:
                raise SystemExit(f"{path}: {place}: expected a shape above 0, found {width}x{height}")
            shape = width / height
        yield names[index], boxes, marks, ignored, shape


def _face_class(path, names):
    """Which of the classes is the face's: the one called so, or the only one."""
    faces = [key for key, name in names.items() if str(name).strip().lower() in ("face", "faces", "human face")]
    if len(faces) == 1 or len(names) == 1:
        return faces[0] if faces else next(iter(names))
    listed = ", ".join(str(name) for name in names.values())
    raise SystemExit(f"{path}: which of its classes is the face? Expected one called \"face\", found {listed or 'none'}")


def _coco_labels(path):
    """COCO's layout; crowds are ignored, five keypoints are landmarks."""
    root = _json(path)
    parts = [_get(path, "the file", root, key, list) for key in ("images", "annotations", "categories")]
    names = {_get(path, f"categories[{i}]", item, "id", int): _get(path, f"categories[{i}]", item, "name", str)
             for i, item in enumerate(parts[2])}
    wanted, rows = _face_class(path, names), {}
    for index, item in enumerate(parts[0]):
        key = _get(path, f"images[{index}]", item, "id", int)
        rows[key] = (_get(path, f"images[{index}]", item, "file_name", str), [], [], [])
    for index, item in enumerate(parts[1]):
        place = f"annotations[{index}]"
        if _get(path, place, item, "category_id", int) != wanted:
            continue
        if (image := _get(path, place, item, "image_id", int)) not in rows:
            raise SystemExit(f"{path}: {place}: there is no image {image}")
        box = _table(path, f"{place}.bbox", [_get(path, place, item, "bbox", list)], 4, "x, y, width, height")
        if item.get("iscrowd"):
            rows[image][3].append(_corners(box)[0])
            continue
        marks = np.full(10, np.nan, np.float32)
        if len(item.get("keypoints", [])) == 15:
            known = _table(path, f"{place}.keypoints", [item["keypoints"]], 15, "x, y, visibility of five points")
            if (known.reshape(5, 3)[:, 2] > 0).all():
                marks = known.reshape(5, 3)[:, :2].ravel()
        rows[image][1].append(_corners(box)[0])
        rows[image][2].append(marks)
    for name, boxes, points, ignored in sorted(rows.values(), key=lambda row: row[0]):
        yield (name, np.array(boxes, np.float32).reshape(-1, 4), np.array(points, np.float32).reshape(-1, 10),
               np.array(ignored, np.float32).reshape(-1, 4))


def _xml_labels(paths):
    """dlib's `<dataset>` of `<image>`s, or VOC's one `<annotation>` a photograph, whose difficult objects are ignored."""
    roots = []
    for path in paths:
        try:
            roots.append((path, XML.parse(path).getroot()))
        except XML.ParseError as error:
            raise SystemExit(f"{path}:{error.position[0]}:{error.position[1]}: is no XML: {error}")
    voc = [(path, root) for path, root in roots if root.tag == "annotation"]
    kinds = {item.findtext("name", "").strip(): item.findtext("name", "").strip()
             for _, root in voc for item in root.iter("object")}
    wanted = _face_class(voc[0][0].parent, kinds) if kinds else None
    for path, root in roots:
        if root.tag == "annotation":
            items = [item for item in root.iter("object") if item.findtext("name", "").strip() == wanted]
            boxes = _xml_boxes(path, [item.find("bndbox") for item in items], ("xmin", "ymin", "xmax", "ymax"))
            hard = np.array([item.findtext("difficult", "0").strip() == "1" for item in items], bool)
            if not (name := root.findtext("filename", "").strip()):
                raise SystemExit(f"{path}: expected <filename>, found none")
            yield name, boxes[~hard], None, boxes[hard]
            continue
        for entry in root.iter("image"):
            if not (name := entry.get("file")):
                raise SystemExit(f"{path}: expected <image file=...>, found an <image> without one")
            items = list(entry.iter("box"))
            boxes = _corners(_xml_boxes(path, items, ("left", "top", "width", "height")))
            skipped = np.array([item.get("ignore") == "1" for item in items], bool)
            yield name, boxes[~skipped], None, boxes[skipped]


def _xml_boxes(path, items, names):
    """[n, 4] of numbers that are attributes of the items, or elements inside of them."""
    rows = []
    for item in items:
        texts = [None if item is None else item.get(name, item.findtext(name)) for name in names]
        try:
            rows.append([float(text) for text in texts])
        except (TypeError, ValueError):
            raise SystemExit(f"{path}: expected a box of {', '.join(names)}, found {texts}")
    return np.array(rows, np.float32).reshape(-1, 4)


def _yolo_labels(folder):
    """YOLO's `labels/NAME.txt`, or beside the photograph: `class cx cy w h` in parts of it, then five points where given."""
    photos = sorted(path for path in folder.glob("**/*") if path.suffix.lower() in PHOTOS)
    pairs = []
    for photo in photos:
        parts = [("labels" if part == "images" else part) for part in photo.relative_to(folder).parts]
        for text in (folder.joinpath(*parts).with_suffix(".txt"), photo.with_suffix(".txt")):
            if text.is_file():
                pairs.append((photo, text))
                break
    if not pairs:
        return
    rows = {text: [(number, _numbers(text, number, line, 5)) for number, line in
                   enumerate(text.read_text().splitlines(), 1) if line.strip()] for _, text in pairs}
    named = {int(row[0]): str(int(row[0])) for found in rows.values() for _, row in found} | _yolo_names(folder)
    wanted = _face_class(folder, named) if named else 0
    for photo, text in pairs:
        height, width = _size(photo)
        boxes, points = [], []
        for number, row in rows[text]:
            if int(row[0]) != wanted:
                continue
            if max(row[1:5]) > 1.01 or min(row[1:5]) < -0.01:
                raise SystemExit(f"{text}:{number}: expected centre and size in parts of the photograph, found {row[1:5]}")
            x, y, w, h = np.array(row[1:5]) * [width, height, width, height]
            boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            marks = np.array(row[5:]).reshape(5, -1)[:, :2] if len(row) in (15, 20) else np.full((5, 2), np.nan)
            points.append((marks * [width, height]).ravel())
        yield (str(photo.relative_to(folder)), np.array(boxes, np.float32).reshape(-1, 4),
               np.array(points, np.float32).reshape(-1, 10), np.zeros((0, 4), np.float32))


def _yolo_names(folder):
    """Names of the classes by number, of `classes.txt` or of a YAML file's `names`; none where nothing says them."""
    if (path := folder / "classes.txt").is_file():
        return dict(enumerate(line.strip() for line in path.read_text().splitlines() if line.strip()))
    for path in sorted(folder.glob("*.yaml")):
        lines, names = path.read_text().splitlines(), {}
        at = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
        if at is None:
            continue
        if inline := lines[at].partition(":")[2].split("#")[0].strip():
            pairs = [item.rpartition(":") for item in inline.strip("[]{}").split(",") if item.strip()]
            return {int(key) if key else i: name.strip(" '\"") for i, (key, _, name) in enumerate(pairs)}
        for line in lines[at + 1:]:
            if not line.strip() or not line.startswith((" ", "-")):
                break
            key, _, name = line.strip().lstrip("- ").rpartition(":")
            names[int(key) if key.strip().isdigit() else len(names)] = name.strip(" '\"")
        return names
    return {}


def _size(path):
    """(height, width) of a photograph."""
    try:
        return images.read(path).shape[:2]
    except OSError as error:
        raise SystemExit(str(error))


def _unstretched(image, boxes, shape):
    """The photograph in its true shape, width over height, not enlarged."""
    height, width = image.shape[:2]
    w, h = (int(height * shape), height) if shape >= 1 else (width, int(width / shape))
    boxes = boxes * np.float32([w / width, h / height] * 2)
    return Photo(cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR), boxes)
