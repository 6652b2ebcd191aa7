# SPDX-License-Identifier: Apache-2.0
"""Anchors of the face detectors: layout, matching, encoding. Boxes are corners in pixels, float32."""
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Anchors:
    """Square anchors at every cell of every level."""

    strides: tuple
    sizes: tuple  # per level
    centre: object = None  # of the first cell in pixels; half a stride when None
    offsets: float = 0.1  # what encoded centres are divided by
    logs: float = 0.2  # what encoded log sizes are divided by

    def boxes(self, width, height):
        """[A, 4] centre x, y, width, height; row ((y * columns) + x) * 2 + anchor, levels one after another."""
        levels = []
        for stride, sizes in zip(self.strides, self.sizes):
            rows, columns = -(-height // stride), -(-width // stride)
            start = stride / 2 if self.centre is None else self.centre
            y, x = np.mgrid[:rows, :columns] * np.float32(stride) + start
            cells = np.repeat(np.stack([x, y], -1).reshape(-1, 1, 2), len(sizes), 1)
            sides = np.broadcast_to(np.float32(sizes)[None, :, None], (*cells.shape[:2], 2))
            levels.append(np.concatenate([cells, sides], -1).reshape(-1, 4))
        return np.concatenate(levels).astype(np.float32)

    def levels(self, width, height):
        """How many anchors each level has."""
        return [-(-height // s) * -(-width // s) * len(n) for s, n in zip(self.strides, self.sizes)]

    def encode(self, boxes, anchors):
        middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
        return np.concatenate([(middle - anchors[:, :2]) / (self.offsets * anchors[:, 2:]),
                               np.log(size / anchors[:, 2:]) / self.logs], 1).astype(np.float32)

    def decode(self, encoded, anchors):
        middle = anchors[:, :2] + encoded[:, :2] * self.offsets * anchors[:, 2:]
        size = anchors[:, 2:] * np.exp(encoded[:, 2:] * self.logs)
        return np.concatenate([middle - size / 2, middle + size / 2], 1)

    def encode_points(self, points, anchors):
        """[n, 10] landmarks."""
        centre, size = np.tile(anchors[:, :2], 5), np.tile(anchors[:, 2:], 5)
        return ((points - centre) / (self.offsets * size)).astype(np.float32)


RETINAFACE = Anchors((8, 16, 32), ((10, 20), (32, 64), (128, 256)))
SSH = Anchors((8, 16, 32), ((16, 32), (64, 128), (256, 512)), centre=8, offsets=1.0, logs=1.0)

FACE, BACKGROUND, IGNORED = 1, 0, -1


def match(faces, ignored, anchors, positive=0.35, negative=0.35, forced=0.2):
    """A label per anchor, and the index of its face.

    From overlap `positive` on an anchor belongs to the face it overlaps most, below `negative` it is background. Every
    face owns its best anchor from overlap `forced` on. `ignored` marks faces that count neither way.
    """
    labels, owner = np.zeros(len(anchors), np.int64), np.zeros(len(anchors), np.int64)
    if not len(faces):
        return labels, owner
    corners = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)
    overlap = iou(corners, faces)
    owner = overlap.argmax(1)
    best = overlap[np.arange(len(anchors)), owner]
    labels[best >= negative] = IGNORED
    labels[(best >= positive) & ~ignored[owner]] = FACE
    for face in np.flatnonzero(~ignored):
        row = overlap[:, face].argmax()
        if overlap[row, face] >= forced:
            labels[row], owner[row] = FACE, face
    return labels, owner


def match_per_module(faces, ignored, anchors, levels, positive=0.5, negative=0.3):
    """SSH's assignment: each level takes only the faces whose best anchor over all levels is its own."""
    labels, owner = np.zeros(len(anchors), np.int64), np.zeros(len(anchors), np.int64)
    if not len(faces):
        return labels, owner
    corners = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)
    home = np.searchsorted(np.cumsum(levels), iou(corners, faces).argmax(0), side="right")
    start = 0
    for level, count in enumerate(levels):
        here, own = np.s_[start:start + count], np.flatnonzero((home == level) | ignored)
        if len(own):
            labels[here], index = match(faces[own], ignored[own], anchors[here], positive, negative)
            owner[here] = own[index]
        start += count
    return labels, owner


def iou(a, b):
    """[len(a), len(b)] overlaps."""
    shared = 1.0
    for low, high in ((0, 2), (1, 3)):  # a column at a time: whole rows of two numbers take four times as long
        side = np.minimum(a[:, high, None], b[None, :, high]) - np.maximum(a[:, low, None], b[None, :, low])
        shared = shared * np.maximum(side, 0)
    areas = [np.clip(x[:, 2:] - x[:, :2], 0, None).prod(-1) for x in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared + 1e-9)


def suppress(boxes, scores, threshold=0.4):
    """Greedy suppression; indices of what is kept, best first. Widths count whole pixels."""
    order, kept = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(first)
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.clip(high - low + 1, 0, None).prod(1)
        order = rest[shared / (area[first] + area[rest] - shared) <= threshold]
    return np.array(kept, int)
