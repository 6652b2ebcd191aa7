# SPDX-License-Identifier: Apache-2.0
"""M-LSD's sixteen target maps, in the order of the published TensorFlow weights."""
import cv2
import numpy as np

CHANNELS = 16
CENTRE, LINE, JUNCTION = {"sol": 0, "tp": 7}, 1, 2
DISPLACEMENT = {"sol": slice(3, 7), "tp": slice(8, 12)}
GEOMETRY = {"sol": slice(14, 16), "tp": slice(12, 14)}  # length, angle
STEP = 0.125  # of a SoL sub-segment, of the input's side; sub-segments are two steps long


def encode(segments, size):
    """Segments [n, 4] in input pixels to [16, size/2, size/2].

    Centre maps are 1 at centre pixels; regressions are given around them and NaN, "not supervised", elsewhere.
    """
    side = size // 2
    target = np.full((CHANNELS, side, side), np.nan, np.float32)
    target[[CENTRE["sol"], LINE, JUNCTION, CENTRE["tp"]]] = 0
    segments = _ordered(segments)
    for kind, given in (("sol", split_sol(segments, size)), ("tp", segments)):
        for segment in given / 2:
            _draw(target, kind, segment, side)
    lines, junctions = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    for segment in segments / 2:
        a, b = (tuple(int(v) for v in np.round(segment[i:i + 2] * 16)) for i in (0, 2))
        cv2.line(lines, a, b, 1, 1, cv2.LINE_8, 4)
        for x, y in np.round(segment.reshape(2, 2)).astype(int):
            if 0 <= x < side and 0 <= y < side:
                junctions[max(0, y - 1):y + 2, max(0, x - 1):x + 2] = 1
    target[LINE], target[JUNCTION] = lines, junctions
    return target


def split_sol(segments, size):
    """Segments of line: every long segment as half-overlapping pieces (the paper's SoL augmentation)."""
    pieces = []
    for segment in segments:
        count = int(np.hypot(*(segment[2:] - segment[:2])) / size / STEP) - 1
        if count <= 1:
            pieces.append(segment)
            continue
        step = (segment[2:] - segment[:2]) / (count + 1)
        pieces += [np.concatenate([segment[:2] + i * step, segment[:2] + (i + 2) * step]) for i in range(count)]
    return np.array(pieces, np.float32).reshape(-1, 4)


def _draw(target, kind, segment, side):
    x, y = (int(np.clip(round(float(v)), 0, side - 1)) for v in (segment[[0, 2]].mean(), segment[[1, 3]].mean()))
    target[CENTRE[kind], y, x] = 1
    rows, columns = slice(max(0, y - 1), min(side, y + 2)), slice(max(0, x - 1), min(side, x + 2))
    at_y, at_x = np.mgrid[rows, columns]  # Every pixel around the centre points at the same two ends.
    offsets = np.stack([segment[0] - at_x, segment[1] - at_y, segment[2] - at_x, segment[3] - at_y])
    target[DISPLACEMENT[kind], rows, columns] = offsets
    along = segment[2:] - segment[:2]
    dx = along[0] if abs(along[0]) > 1e-6 else 1e-6
    target[GEOMETRY[kind].start, rows, columns] = np.hypot(*along) / (np.sqrt(2) * side)
    target[GEOMETRY[kind].start + 1, rows, columns] = np.arctan(along[1] / dx) / (2 * np.pi) + 0.5


def _ordered(segments):
    """The end with the smaller x first, or y where the segment is steep."""
    segments = np.asarray(segments, np.float32).reshape(-1, 4)
    dx, dy = segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1]
    swap = np.where(np.abs(dx) > np.abs(dy), dx < 0, dy < 0)
    return np.where(swap[:, None], segments[:, [2, 3, 0, 1]], segments)
