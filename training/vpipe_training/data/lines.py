# SPDX-License-Identifier: Apache-2.0
"""Photographs with line segments: Wireframe's JSON lists and York Urban's `lines.json`."""
import json
from pathlib import Path

import numpy as np

from . import images


def load(folder, split="all"):
    """[(image, segments [n, 4] in pixels)].

    Wireframe: `train.json` and `valid.json`, lists of `{"filename", "lines"}`, beside the images or above a folder
    `images/`. York Urban: `lines.json`, `{name: segments}`; its halves are blocks of five photographs by name.
    """
    folder = Path(folder)
    if (folder / "lines.json").exists():
        entries = sorted(json.loads((folder / "lines.json").read_text()).items())
        if split != "all":
            entries = [e for i, e in enumerate(entries) if (i // 5 % 2 == 0) == (split == "train")]
    else:
        names = {"train": ["train.json"], "held": ["valid.json"], "all": ["train.json", "valid.json"]}[split]
        listed = [e for name in names if (folder / name).exists() for e in json.loads((folder / name).read_text())]
        entries = [(entry["filename"], entry["lines"]) for entry in listed]
    if not entries:
        raise SystemExit(f"{folder}: neither lines.json nor train.json and valid.json")
    return [(images.read(_find(folder, name)), np.array(segments, np.float32).reshape(-1, 4))
            for name, segments in entries]


def _find(folder, name):
    for place in (folder, folder / "images"):
        for ending in ("", ".jpg", ".png"):
            if (place / (name + ending)).is_file():
                return place / (name + ending)
    raise SystemExit(f"{folder}: no image {name}")


def transform(segments, matrix, size):
    """Segments under a 3x3 matrix, cut to a square of `size`; what is left shorter than 4 pixels is dropped."""
    if not len(segments):
        return segments
    points = np.concatenate([segments.reshape(-1, 2), np.ones((len(segments) * 2, 1), np.float32)], 1) @ matrix.T
    points = (points[:, :2] / points[:, 2:]).reshape(-1, 4)
    return clip(points, size)


def clip(segments, size):
    """Liang-Barsky against the square 0 ... size - 1."""
    start, along = segments[:, :2], segments[:, 2:] - segments[:, :2]
    low, high = np.zeros(len(segments)), np.ones(len(segments))
    for axis in (0, 1):
        direction = np.where(np.abs(along[:, axis]) < 1e-6, 1e-6, along[:, axis])
        a, b = -start[:, axis] / direction, (size - 1 - start[:, axis]) / direction
        low, high = np.maximum(low, np.minimum(a, b)), np.minimum(high, np.maximum(a, b))
    cut = np.concatenate([start + along * low[:, None], start + along * high[:, None]], 1)
    length = np.hypot(cut[:, 2] - cut[:, 0], cut[:, 3] - cut[:, 1])
    return cut[(low < high) & (length >= 4)].astype(np.float32)
