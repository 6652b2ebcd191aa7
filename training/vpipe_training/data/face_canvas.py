# SPDX-License-Identifier: Apache-2.0
"""Training images for face detectors: crops, mosaics and tiles of single faces, with anchors already matched."""
import cv2
import numpy as np
from torch.utils.data import Dataset

from . import images

FILL = (123, 117, 104)
MIRRORED = [2, 3, 0, 1, 4, 5, 8, 9, 6, 7]  # landmarks: eyes and corners of the mouth change sides
SMALLEST = 7.0  # pixels; smaller faces are ignored


class FaceCanvas(Dataset):
    """Samples with `image` (uint8 RGB), `labels` [A], `boxes` [A, 4], `points` [A, 10] and `has_points` [A]."""

    def __init__(self, photos, size, anchors, match, seed, labelled_share=0.7):
        """`photos`: (labelled, others); `match(faces, ignored, boxes)` gives labels and owners of anchor boxes."""
        labelled, others = photos
        self.photos, self.labelled, self.labelled_share = labelled + others, len(labelled), labelled_share
        self.size, self.anchors, self.match, self.seed = size, anchors, match, seed
        self.grid = anchors.boxes(size, size)
        large = [np.flatnonzero(_sides(photo.boxes) > 14) for photo in self.photos]
        self.faces = [(photo, own) for photo, own in zip(self.photos, large) if len(own)]

    def __len__(self):
        return 1 << 40

    def __getitem__(self, key):
        rng = np.random.default_rng([self.seed, key[0]])
        image, boxes, points, ignored = self.canvas(rng)
        faces = np.concatenate([boxes, ignored])
        out = np.arange(len(faces)) >= len(boxes)
        labels, owner = self.match(faces, out, self.grid)
        encoded, landmarks = np.zeros((len(self.grid), 4), np.float32), np.zeros((len(self.grid), 10), np.float32)
        known = np.zeros(len(self.grid), np.float32)
        own = np.flatnonzero(labels == 1)
        encoded[own] = self.anchors.encode(faces[owner[own]], self.grid[own])
        marked = own[~np.isnan(points[owner[own]]).any(1)] if len(own) else own
        landmarks[marked] = self.anchors.encode_points(points[owner[marked]], self.grid[marked])
        known[marked] = 1
        return {"image": images.jitter(image, rng), "labels": labels, "boxes": encoded, "points": landmarks,
                "has_points": known}

    def canvas(self, rng):
        """An image with its boxes, points and ignored boxes, put together from one to sixteen crops."""
        kind, cells = rng.random(), self._cells(rng)
        if kind < 0.35:
            cells = [(0, 0, self.size, self.size)]
        elif kind < 0.7:
            cells = self._mosaic(rng)
        image, parts = np.empty((self.size, self.size, 3), np.uint8), []
        for x, y, w, h in cells:
            crop = self._face if kind >= 0.7 or rng.random() < 0.25 else self._crop
            tile, *labels = crop(rng, w, h)
            image[y:y + h, x:x + w] = tile
            parts.append([part + np.float32([x, y] * (part.shape[1] // 2)) for part in labels])
        return image, *(np.concatenate(part) for part in zip(*parts))

    def _cells(self, rng):
        edges = np.linspace(0, self.size, int(rng.integers(1, 5)) + 1).astype(int)
        spans = list(zip(edges, np.diff(edges)))
        return [(int(x), int(y), int(w), int(h)) for x, w in spans for y, h in spans]

    def _mosaic(self, rng):
        x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * self.size)
        w, h = self.size - x, self.size - y
        return [(0, 0, x, y), (x, 0, w, y), (0, y, x, h), (x, y, w, h)]

    def _crop(self, rng, w, h):
        """A random part of a photograph, at a random scale."""
        count = self.labelled if self.labelled and rng.random() < self.labelled_share else len(self.photos)
        photo = self.photos[rng.integers(count)]
        height, width = photo.image.shape[:2]
        scale = min(max(w, h) / (rng.uniform(0.3, 1.1) * min(height, width)), 3.0)
        aspect, half = np.exp(rng.uniform(-0.2, 0.2)), np.array([w, h]) / scale / 2
        centre = [rng.uniform(min(a, s / 2), max(s - a, s / 2)) for a, s in zip(half, (width, height))]
        return self._take(rng, photo, w, h, centre, (scale * aspect, scale / aspect))

    def _face(self, rng, w, h):
        """A face of any size somewhere in the cell; every photograph counts alike, a crowd no more than a portrait."""
        if not self.faces:
            return self._crop(rng, w, h)
        photo, own = self.faces[rng.integers(len(self.faces))]
        box = photo.boxes[own[rng.integers(len(own))]]
        side = _sides(box[None])[0]
        scale = min(np.exp(rng.uniform(np.log(10), np.log(0.8 * min(w, h)))) / side, 5.0)
        aspect = np.exp(rng.uniform(-0.15, 0.15))
        shift = rng.uniform(-0.4, 0.4, 2) * np.maximum(0, np.array([w, h]) - scale * side) / scale
        return self._take(rng, photo, w, h, (box[:2] + box[2:]) / 2 + shift, (scale * aspect, scale / aspect))

    def _take(self, rng, photo, w, h, centre, scale):
        """A window around a point of the photograph, perhaps mirrored."""
        mirror = rng.random() < 0.5
        factor = np.array([-scale[0] if mirror else scale[0], scale[1]], np.float32)
        offset = np.float32([w / 2, h / 2]) - factor * np.float32(centre)
        source, shrunk = (photo.half, 2) if min(scale) < 0.65 else (photo.image, 1)
        matrix = np.float32([[factor[0] * shrunk, 0, offset[0]], [0, factor[1] * shrunk, offset[1]]])
        image = cv2.warpAffine(source, matrix, (w, h), flags=cv2.INTER_LINEAR, borderValue=FILL)
        boxes, ignored = (_moved(b, factor, offset, mirror) for b in (photo.boxes, photo.ignored))
        points = photo.points * np.tile(factor, 5) + np.tile(offset, 5)
        if mirror:
            points = points[:, MIRRORED]
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((middle > 0) & (middle < [w, h])).all(1)
        boxes, ignored = (np.clip(b, 0, [w, h, w, h]).astype(np.float32) for b in (boxes, ignored))
        kept = inside & (_sides(boxes) >= SMALLEST)
        ignored = np.concatenate([boxes[~kept], ignored])
        return image, boxes[kept], points[kept].astype(np.float32), ignored[_sides(ignored) > 2]


def _moved(boxes, factor, offset, mirror):
    boxes = boxes * np.tile(factor, 2) + np.tile(offset, 2)
    return boxes[:, [2, 1, 0, 3]] if mirror else boxes


def _sides(boxes):
    return np.sqrt(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1))
