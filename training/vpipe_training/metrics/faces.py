# SPDX-License-Identifier: Apache-2.0
"""Average precision of face boxes."""
import numpy as np

from ..anchors import iou
from .ranking import average_precision

SCORES = (0.3, 0.5, 0.6)


def evaluate(pairs, smallest=16.0, overlap=0.5):
    """Figures in percent of [(boxes [n, 4], scores [n], truth [m, 4])].

    Faces below `smallest` (square root of the area) count neither way; nor do unmatched finds clearly below it.
    """
    scores, hits, total = [], [], 0
    for boxes, confidence, truth in pairs:
        side = np.sqrt(np.clip(truth[:, 2:] - truth[:, :2], 0, None).prod(1))
        total += int((side >= smallest).sum())
        shared = iou(boxes, truth) if len(truth) else np.zeros((len(boxes), 1))
        taken = np.zeros(shared.shape[1], bool)
        for index in np.argsort(-confidence, kind="stable"):
            best = shared[index].argmax()
            matched = shared[index, best] >= overlap
            own_side = np.sqrt(np.clip(boxes[index, 2:] - boxes[index, :2], 0, None).prod())
            if (matched and side[best] < smallest) or (not matched and own_side < 0.8 * smallest):
                continue
            hits.append(bool(matched and not taken[best]))
            scores.append(confidence[index])
            taken[best] |= matched
    figures = {"AP": round(100 * average_precision(scores, hits, total), 2), "faces": total}
    scores, hits = np.array(scores), np.array(hits, bool)
    for level in SCORES:
        found = hits[scores >= level] if len(scores) else hits
        figures[f"recall@{level}"] = round(100 * found.sum() / max(total, 1), 1)
        figures[f"precision@{level}"] = round(100 * found.mean(), 1) if len(found) else 0.0
    return figures
