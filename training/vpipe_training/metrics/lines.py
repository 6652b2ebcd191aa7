# SPDX-License-Identifier: Apache-2.0
"""Structural average precision (sAP) of line segments, and decoding as the pipeline does it."""
import numpy as np
import torch
import torch.nn.functional as F

from ..data.line_targets import CENTRE, DISPLACEMENT
from .ranking import average_precision

THRESHOLDS = (5, 10, 15)
SQUARE = 128  # ends are compared in an image of this side


@torch.no_grad()
def decode(logits, score=0.1, length=20.0, most=200):
    """One image's maps [16, h, w] as [n, 5]: start x, y, end x, y in input pixels, score. `length` is in map pixels."""
    centre = torch.sigmoid(logits[CENTRE["tp"]].float())
    peak = F.max_pool2d(centre[None, None], 3, 1, 1)[0, 0]
    flat = torch.where(peak == centre, centre, torch.zeros_like(centre)).flatten()
    scores, index = flat.sort(descending=True, stable=True)
    scores, index = scores[:most], index[:most]
    y, x = index // centre.shape[1], index % centre.shape[1]
    ends = logits[DISPLACEMENT["tp"]].float()[:, y, x].T
    long = (ends[:, :2] - ends[:, 2:]).norm(dim=1)
    segments = (torch.stack([x, y, x, y], 1) + ends) * 2
    kept = (scores > score) & (long > length)
    return torch.cat([segments, scores[:, None]], 1)[kept].cpu().numpy()


def distance(a, b):
    """Sum of squared distances of both ends in the better order, [len(a), len(b)]."""
    def ends(p, q):
        return ((p[:, None] - q[None]) ** 2).sum(-1)

    return np.minimum(ends(a[:, :2], b[:, :2]) + ends(a[:, 2:], b[:, 2:]),
                      ends(a[:, :2], b[:, 2:]) + ends(a[:, 2:], b[:, :2]))


def structural_ap(pairs):
    """sAP5, sAP10 and sAP15 in percent of [(found [n, 5] best first, truth [m, 4])], both on a square of side 128."""
    scores, total, hits = [], 0, {t: [] for t in THRESHOLDS}
    for found, truth in pairs:
        apart = distance(found[:, :4], truth)
        total += len(truth)
        scores += list(found[:, 4])
        for threshold, hit in hits.items():
            taken = np.zeros(len(truth), bool)
            for row in apart:
                nearest = row.argmin() if len(row) else -1
                good = nearest >= 0 and row[nearest] < threshold and not taken[nearest]
                if good:
                    taken[nearest] = True
                hit.append(good)
    return {f"sAP{t}": round(100 * average_precision(scores, hit, total), 2) for t, hit in hits.items()}


def recall(pairs, threshold=10):
    """Percent of all wanted lines with a found one near, as in sAP10; [(found [n, 4 or more], wanted [m, 4 or more])]."""
    near = [(distance(found[:, :4], wanted[:, :4]) < threshold).any(0) for found, wanted in pairs]
    return round(100 * float(np.concatenate(near).mean()), 2)
