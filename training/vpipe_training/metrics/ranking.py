# SPDX-License-Identifier: Apache-2.0
"""Average precision of scored finds."""
import numpy as np


def average_precision(scores, hits, total):
    """Area under the monotone precision-recall curve, 0 ... 1; `total` is how many there are to find."""
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    hits = np.asarray(hits, float)[order]
    recall = np.cumsum(hits) / max(total, 1)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    recall, precision = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision[1:]))
