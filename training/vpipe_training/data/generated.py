# SPDX-License-Identifier: Apache-2.0
"""Small data sets, drawn from a seed, in the layouts that the loaders read: for the smoke test."""
import json
from pathlib import Path

import cv2
import numpy as np

from . import scenes
from .segmentation import CAMVID


def lines(folder, rng, count=6, size=256):
    """York Urban's layout."""
    folder, truth = _made(folder), {}
    for i in range(count):
        image, segments = scenes.scene(rng, size)
        _write(folder / f"scene{i}.png", image)
        truth[f"scene{i}"] = segments.round(2).tolist()
    (folder / "lines.json").write_text(json.dumps(truth))
    return folder


def faces(folder, rng, count=8, size=320):
    """WIDER FACE's layout with landmarks."""
    folder, rows = _made(folder), []
    for i in range(count):
        image, _ = scenes.scene(rng, size)
        rows.append(f"# drawn/{i}.png")
        for x, y in ((0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)):
            if rng.random() < 0.8:
                rows.append(_face(image, rng, np.array([x, y]) * size, rng.uniform(0.08, 0.2) * size))
        _write(folder / "images" / "drawn" / f"{i}.png", image)
    (folder / "label.txt").write_text("\n".join(rows) + "\n")
    return folder


def streets(folder, rng, count=6, size=(160, 128)):
    """CamVid's layout, half of it for validation."""
    folder, (width, height) = Path(folder), size
    for i in range(count):
        image, label = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
        horizon = int(height * rng.uniform(0.35, 0.55))
        _fill(image, label, np.s_[:horizon], (130, 180, 230), "sky")
        _fill(image, label, np.s_[horizon:], (90, 90, 95), "road")
        for _ in range(3):
            x, w = int(rng.integers(0, width - 30)), int(rng.integers(15, 40))
            top = int(horizon * rng.uniform(0.2, 0.8))
            _fill(image, label, np.s_[top:horizon, x:x + w], rng.integers(60, 200, 3), "building")
        x, y = int(rng.integers(0, width - 40)), int(rng.integers(horizon, height - 20))
        _fill(image, label, np.s_[y:y + 16, x:x + 32], rng.integers(0, 255, 3), "car")
        image = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        split = "train" if i % 2 == 0 else "val"
        _write(folder / split / f"{i}.png", image)
        _made(folder / f"{split}annot")
        cv2.imwrite(str(folder / f"{split}annot" / f"{i}.png"), label)
    return folder


def media(folder, rng, frames=24, size=(192, 128)):
    """A video of a camera over a rendered scene, and a photograph."""
    folder, (width, height) = _made(folder), size
    image, _ = scenes.scene(rng, 320)
    _write(folder / "photo.png", image)
    writer = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, size)
    for t in range(frames):
        writer.write(cv2.cvtColor(image[t:t + height, 2 * t:2 * t + width], cv2.COLOR_RGB2BGR))
    writer.release()
    return folder


def _face(image, rng, middle, side):
    """Draws an oval with eyes, nose and mouth; returns its row of the label file."""
    skin = np.array([225, 180, 150]) * rng.uniform(0.5, 1.1)
    points = middle + np.array([[-0.2, -0.12], [0.2, -0.12], [0, 0.08], [-0.15, 0.25], [0.15, 0.25]]) * side

    def ellipse(at, axes, color):
        cv2.ellipse(image, tuple(int(v) for v in at), tuple(max(1, int(v)) for v in axes), 0, 0, 360,
                    tuple(float(c) for c in color), -1, cv2.LINE_AA)

    ellipse(middle, (0.4 * side, 0.5 * side), skin)
    for eye in points[:2]:
        ellipse(eye, (0.08 * side, 0.05 * side), (30, 25, 25))
    ellipse(points[2], (0.05 * side, 0.08 * side), skin * 0.8)
    ellipse((points[3] + points[4]) / 2, (0.15 * side, 0.04 * side), (150, 60, 60))
    box = [*(middle - side * np.array([0.4, 0.5])), 0.8 * side, side]
    return " ".join(f"{v:.1f}" for v in [*box, *(n for point in points for n in (*point, 0.0)), 1.0])


def _fill(image, label, place, color, name):
    image[place], label[place] = color, CAMVID.index(name)


def _made(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path, rgb):
    _made(path.parent)
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
