# SPDX-License-Identifier: Apache-2.0
"""Detectors of other projects (ONNX, through OpenVINO) that label photographs together."""
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from . import anchors

SURE, UNSURE = 0.5, 0.25  # fused scores: a face from the first on, ignored between them
SIDE = 832  # of the longer side of a photograph as a detector sees it, where none is named


@dataclass
class Finds:
    """Boxes [n, 4] (corners, pixels), scores [n] and five landmarks [n, 10], best first."""

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray


class Detector:
    """One detector at one size. `outputs` are decoded by the subclass on a canvas whose sides are multiples of 32."""

    def __init__(self, path, side=SIDE):
        try:
            import openvino
        except ImportError:
            raise SystemExit("detectors in ONNX run in OpenVINO: pip install openvino")
        if not Path(path).is_file():
            raise SystemExit(f"{path}: no such file")
        core = openvino.Core()
        model = core.read_model(str(path))
        names = {port.any_name for port in model.outputs}
        if missing := set(self.needs) - names:
            raise SystemExit(f"{path}: no {self.name}, its outputs {', '.join(sorted(missing))} are missing")
        model.reshape([1, 3, -1, -1])
        self.compiled, self.side = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1}), side

    def __call__(self, image, least=0.05):
        """What it finds in an RGB image of any size."""
        scale = self.side / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        rows, columns = (-(-n // 32) * 32 for n in small.shape[:2])
        canvas = cv2.copyMakeBorder(small, 0, rows - small.shape[0], 0, columns - small.shape[1], cv2.BORDER_CONSTANT)
        results = self.compiled(self.prepared(canvas))
        found = self.decode({name: results[port] for port in self.compiled.outputs for name in port.names}, columns // 8, least)
        kept = anchors.suppress(found.boxes, found.scores)
        return Finds(found.boxes[kept] / scale, found.scores[kept], found.points[kept] / scale)


class YuNet(Detector):
    """YuNet (Wu et al. 2023): one cell per stride, score the geometric mean of class and objectness."""

    name, needs = "yunet", [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]

    @staticmethod
    def prepared(rgb):
        return np.ascontiguousarray(rgb[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)

    @staticmethod
    def decode(values, columns, least):
        parts = []
        for stride in (8, 16, 32):
            face, thing, box, points = (values[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps"))
            scores = np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(thing[:, 0], 0, 1))
            own = np.flatnonzero(scores > least)
            y, x = np.divmod(own, columns * 8 // stride)
            cell = np.stack([x, y], 1).astype(np.float32)
            middle, size = (cell + box[own, :2]) * stride, np.exp(box[own, 2:]) * stride
            parts.append((np.concatenate([middle - size / 2, middle + size / 2], 1), scores[own],
                          (np.tile(cell, 5) + points[own]) * stride))
        return Finds(*(np.concatenate(part) for part in zip(*parts)))


class CenterFace(Detector):
    """CenterFace (Xu et al. 2020): a heat map at stride 4, sizes as logarithms, offsets y before x."""

    name, needs = "centerface", ["537", "538", "539", "540"]

    @staticmethod
    def prepared(rgb):
        return np.ascontiguousarray(rgb[None].transpose(0, 3, 1, 2), np.float32)

    @staticmethod
    def decode(values, columns, least):
        heat, size, offset, points = (values[name][0] for name in CenterFace.needs)
        y, x = np.nonzero(heat[0] > least)
        height, width = np.exp(size[:, y, x]) * 4
        top, left = (y + offset[0, y, x] + 0.5) * 4 - height / 2, (x + offset[1, y, x] + 0.5) * 4 - width / 2
        boxes = np.stack([left, top, left + width, top + height], 1)
        own = points[:, y, x].T.reshape(-1, 5, 2)[:, :, ::-1]
        placed = own * np.stack([width, height], 1)[:, None] + boxes[:, None, :2]
        return Finds(boxes.astype(np.float32), heat[0, y, x], placed.reshape(-1, 10).astype(np.float32))


KINDS = {kind.name: kind for kind in (YuNet, CenterFace)}


def detector(text):
    """`KIND=FILE` or `KIND@SIDE=FILE` as a detector; `SystemExit` with a message where it is none."""
    kind, equals, path = text.partition("=")
    kind, _, side = kind.partition("@")
    if not equals or kind not in KINDS or (side and not (side.isdigit() and 32 <= int(side) <= 4096)):
        raise SystemExit(f"{text}: expected KIND=FILE or KIND@SIDE=FILE, KIND one of {', '.join(KINDS)}, SIDE 32 to 4096")
    return KINDS[kind](path, int(side) if side else SIDE)


def fuse(parts, overlap=0.5):
    """One set of finds of several: clusters about the best find left, at most one of each detector.

    A cluster's box is the mean weighted by score, its score the mean over all detectors where one that finds nothing
    counts 0, its landmarks those of its best find.
    """
    boxes = np.concatenate([part.boxes for part in parts]).astype(np.float32).reshape(-1, 4)
    scores = np.concatenate([part.scores for part in parts])
    points = np.concatenate([part.points for part in parts]).astype(np.float32).reshape(-1, 10)
    owner = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])
    free, rows = np.ones(len(boxes), bool), []
    for first in np.argsort(-scores, kind="stable"):
        if not free[first]:
            continue
        shared = np.where(free, anchors.iou(boxes[first:first + 1], boxes)[0], 0)
        members = [first]
        for other in set(range(len(parts))) - {owner[first]}:
            own = np.where(owner == other, shared, 0)
            if len(own) and own.max() >= overlap:
                members.append(int(own.argmax()))
        free[members] = False
        weight = scores[members] / scores[members].sum()
        rows.append((weight @ boxes[members], scores[members].sum() / len(parts), points[first]))
    if not rows:
        return Finds(boxes, scores, points)
    fused = Finds(*(np.stack(column).astype(np.float32) for column in zip(*rows)))
    order = np.argsort(-fused.scores, kind="stable")
    return Finds(fused.boxes[order], fused.scores[order], fused.points[order])


class Ensemble:
    """Labels of photographs by several detectors: sure faces, and unsure ones that training ignores."""

    def __init__(self, detectors):
        self.detectors = detectors

    def __call__(self, image):
        """(boxes, landmarks, ignored boxes) of an RGB image."""
        found = fuse([find(image) for find in self.detectors])
        sure = found.scores >= SURE
        return found.boxes[sure], found.points[sure], found.boxes[~sure & (found.scores >= UNSURE)]
