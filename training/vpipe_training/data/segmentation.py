# SPDX-License-Identifier: Apache-2.0
"""Labelled streets: the CamVid layout (`train/` beside `trainannot/`) and the Cityscapes one."""
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from ..losses.segmentation import IGNORED
from . import images
from .video import PHOTOS

CAMVID = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
CITYSCAPES = ["road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
              "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
_CITYSCAPES_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32) * 255


def classes(folder):
    """The names of a data set's classes, in the order of the network's outputs."""
    return CITYSCAPES if (Path(folder) / "leftImg8bit").is_dir() else CAMVID


def load(folder, split):
    """(images, label maps with 255 for "ignored"); `split` is `train` or `val`."""
    folder, names, table = Path(folder), classes(folder), np.full(256, IGNORED, np.uint8)
    if names is CITYSCAPES:
        table[_CITYSCAPES_IDS] = np.arange(len(names))
        photos = sorted((folder / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
        maps = [folder / "gtFine" / split / p.parent.name / p.name.replace("leftImg8bit", "gtFine_labelIds")
                for p in photos]
    else:
        table[:len(names)] = np.arange(len(names))
        photos = sorted(p for p in (folder / split).glob("*.*") if p.suffix in PHOTOS)
        maps = [folder / f"{split}annot" / f"{p.stem}.png" for p in photos]
    if not photos:
        raise SystemExit(f"{folder}: no labelled images of the split {split}")
    labels = [table[cv2.imread(str(p), cv2.IMREAD_UNCHANGED)] for p in maps]
    return [images.read(p) for p in photos], labels


def names(folder, split):
    """What the photographs of a split are called, in the order of `load`."""
    folder = Path(folder)
    if classes(folder) is CITYSCAPES:
        return [p.stem for p in sorted((folder / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))]
    return [p.stem for p in sorted(p for p in (folder / split).glob("*.*") if p.suffix in PHOTOS)]


def soft(path, count):
    """Probabilities that other networks give the photographs, by name: `names` [n], `probability` [n, classes, h, w] as bytes.

    `SystemExit` with the file and what is expected where it holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("names", "probability")}
    except (OSError, KeyError, ValueError) as error:
        raise SystemExit(f"{path}: expected an archive of the arrays names and probability: {error}")
    maps = found["probability"]
    if maps.ndim != 4 or maps.dtype != np.uint8 or maps.shape[:2] != (len(found["names"]), count):
        raise SystemExit(f"{path}: expected probability as uint8 [{len(found['names'])}, {count}, h, w], "
                         f"found {maps.dtype} {list(maps.shape)}")
    return {Path(str(name)).stem: m for name, m in zip(found["names"], maps)}


class Streets(Dataset):
    """Random scaled, turned and coloured crops; now and then around a pixel of a class drawn evenly.

    Where photographs have `soft` maps [classes, h, w] (bytes; None where one has none), samples have `soft`, an eighth of
    the crop, and `known`, which is 0 where there is none.
    """

    def __init__(self, photos, labels, classes, size, seed, soft=None, scales=(0.6, 1.8), balance=0.35):
        self.photos, self.labels, self.size, self.seed = photos, labels, size, seed
        self.soft, self.classes = soft, classes
        self.scales, self.balance = scales, balance
        counts = np.stack([np.bincount(l.ravel(), minlength=256)[:classes] for l in labels])
        self.having = [np.flatnonzero(counts[:, c] > 50) for c in range(classes)]
        self.having = [h for h in enumerate(self.having) if len(h[1])]

    def __len__(self):
        return 1 << 40

    def __getitem__(self, key):
        rng = np.random.default_rng([self.seed, key[0]])
        scale = np.exp(rng.uniform(*np.log(self.scales)))
        across, down = scale * 2 ** rng.uniform(-0.15, 0.15), scale * 2 ** rng.uniform(-0.15, 0.15)
        index, x, y = self._place(rng, across, down)
        (w, h), angle = self.size, np.radians(rng.uniform(-4, 4))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.diag([(1 if rng.random() < 0.5 else -1) / across, 1 / down])
        offset = np.array([x, y]) - matrix @ np.array([(w - 1) / 2, (h - 1) / 2])
        matrix, inverse = np.hstack([matrix, offset[:, None]]), cv2.WARP_INVERSE_MAP
        extra = self._soft(index, matrix) if self.soft else {}
        image = cv2.warpAffine(
            self.photos[index], matrix, (w, h), flags=inverse | cv2.INTER_LINEAR, borderValue=tuple(MEAN.tolist()))
        label = cv2.warpAffine(
            self.labels[index], matrix, (w, h), flags=inverse | cv2.INTER_NEAREST, borderValue=IGNORED)
        return {"image": images.jitter(image, rng, noise=0.1), "label": label.astype(np.int64), **extra}

    def _soft(self, index, matrix):
        """The probabilities under the crop, at the network's stride, and where they are known."""
        w, h = self.size[0] // 8, self.size[1] // 8
        if (given := self.soft[index]) is None:
            return {"soft": np.zeros((self.classes, h, w), np.uint8), "known": np.zeros((h, w), np.float32)}
        height, width = self.photos[index].shape[:2]
        # From centres of cells of the crop to its pixels, to the photograph's, to the map's.
        finer = np.array([[8, 0, 3.5], [0, 8, 3.5], [0, 0, 1.0]])
        x, y = given.shape[2] / width, given.shape[1] / height
        coarser = np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])
        own = (coarser @ np.vstack([matrix, [0, 0, 1]]) @ finer)[:2]
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        maps = np.stack([cv2.warpAffine(channel, own, (w, h), flags=flags) for channel in given])
        inside = np.full(given.shape[1:], 255, np.uint8)
        return {"soft": maps, "known": (cv2.warpAffine(inside, own, (w, h), flags=flags) > 250).astype(np.float32)}

    def _place(self, rng, across, down):
        """An image and the point of it that becomes the crop's centre."""
        w, h = self.size[0] / across, self.size[1] / down
        if rng.random() < self.balance and self.having:
            kind, photos = self.having[rng.integers(len(self.having))]
            index = int(rng.choice(photos))
            height, width = self.labels[index].shape
            y, x = divmod(int(rng.choice(np.flatnonzero(self.labels[index] == kind))), width)
            x, y = x + rng.uniform(-0.3, 0.3) * w, y + rng.uniform(-0.3, 0.3) * h
        else:
            index = int(rng.integers(len(self.photos)))
            height, width = self.labels[index].shape
            x, y = rng.uniform(0, width), rng.uniform(0, height)
        return (index, np.clip(x, min(w / 2, width - w / 2), max(w / 2, width - w / 2)),
                np.clip(y, min(h / 2, height - h / 2), max(h / 2, height - h / 2)))
