# SPDX-License-Identifier: Apache-2.0
"""Intersection over union of classes."""
import numpy as np

from ..losses.segmentation import IGNORED


def confusion(predicted, truth, classes):
    """Rows truth, columns prediction; pixels labelled "ignored" left out."""
    valid = truth != IGNORED
    pairs = classes * truth[valid].astype(np.int64) + predicted[valid]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def scores(matrix, names):
    """Mean and per-class IoU, pixel accuracy, in percent."""
    hit = np.diag(matrix)
    union = matrix.sum(0) + matrix.sum(1) - hit
    iou = 100 * hit / np.maximum(union, 1)
    return {"mIoU": round(float(iou[union > 0].mean()), 2), "accuracy": round(100 * hit.sum() / matrix.sum(), 2),
            **{name: round(float(v), 1) for name, v in zip(names, iou)}}
