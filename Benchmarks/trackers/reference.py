#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the reference implementations of ByteTrack and OC-SORT beside vpipe's.

    reference.py crowd > crowd.csv     boxes of a made-up crowd and the ids that the reference gives them
    reference.py table FOLDER          MOTA, IDF1 and switches on SEQUENCE-det.txt and SEQUENCE-gt.txt (MOT15 format)
"""
import random
import sys
import warnings

import numpy as np

np.asfarray = lambda a, dtype=float: np.asarray(a, dtype=dtype)  # motmetrics 1.4 with numpy 2
warnings.filterwarnings("ignore")
import motmetrics as mm  # noqa: E402
import supervision as sv  # noqa: E402
from trackers import ByteTrackTracker, OCSORTTracker  # noqa: E402

METHODS = [ByteTrackTracker, OCSORTTracker]
RATE = 25


def crowd(frames=240, people=14, seed=7):
    """Boxes by frame: walkers who cross, turn, are hidden, found unsurely, missed, and a few boxes of nothing."""
    rng = random.Random(seed)
    walkers = [
        dict(x=rng.uniform(0, 1280), y=rng.uniform(100, 600), vx=rng.uniform(-5, 5), vy=rng.uniform(-1.5, 1.5),
             w=rng.uniform(40, 90), start=rng.randrange(0, 80), end=rng.randrange(140, frames), hidden=rng.randrange(60, 140))
        for _ in range(people)
    ]
    for frame in range(frames):
        found = []
        for walker in walkers:
            if not walker["start"] <= frame < walker["end"]:
                continue
            walker["x"] += walker["vx"] + 2 * np.sin(frame / 17 + walker["w"])
            walker["y"] += walker["vy"]
            if rng.random() < 0.01:
                walker["vx"] = -walker["vx"]
            if 0 <= frame - walker["hidden"] < 15 or rng.random() < 0.04:
                continue
            width = walker["w"] * (1 + 0.03 * rng.gauss(0, 1))
            height = walker["w"] * 2.6 * (1 + 0.02 * rng.gauss(0, 1))
            score = min(0.99, max(0.2, rng.gauss(0.82, 0.13)))
            found.append((walker["x"] + rng.gauss(0, 1.5), walker["y"] + rng.gauss(0, 1.5), width, height, score))
        if rng.random() < 0.15:
            found.append((rng.uniform(0, 1200), rng.uniform(0, 500), 60, 150, rng.uniform(0.3, 0.9)))
        rng.shuffle(found)
        yield frame, [tuple(round(value, 1 if place < 4 else 3) for place, value in enumerate(box)) for box in found]


def detections(boxes):
    if not len(boxes):
        return sv.Detections.empty()
    array = np.array(boxes, dtype=np.float64)
    corners = array[:, :4].copy()
    corners[:, 2:] += corners[:, :2]
    return sv.Detections(
        xyxy=corners, confidence=array[:, 4], class_id=np.zeros(len(array), dtype=int),
        data={"index": np.arange(len(array))})


def ids(tracker, boxes, time=None):
    """The id of each box, -1 for none."""
    found = detections(boxes)
    result = tracker.update(found) if time is None else tracker.update(found, timestamp=time)
    names = [-1] * len(boxes)
    for index, name in zip(result.data.get("index", []), result.tracker_id if len(result) else []):
        names[int(index)] = int(name)
    return names


def write_crowd():
    print("# frame,x,y,width,height,score,bytetrack,ocsort: made by reference.py, trackers 2.6.1, frame_rate 25")
    trackers = [method(frame_rate=RATE) for method in METHODS]
    for frame, boxes in crowd():
        for box, *names in zip(boxes, *[ids(tracker, boxes) for tracker in trackers]):
            print(",".join(f"{value:g}" for value in (frame, *box, *names)))


def score(folder, sequence, method, every, timed):
    found = np.loadtxt(f"{folder}/{sequence}-det.txt", delimiter=",")
    truth = np.loadtxt(f"{folder}/{sequence}-gt.txt", delimiter=",")
    tracker = method(frame_rate=RATE)
    book = mm.MOTAccumulator(auto_id=True)
    for frame in range(1, int(max(found[:, 0].max(), truth[:, 0].max())) + 1, every):
        boxes = found[found[:, 0] == frame][:, 2:7]
        names = np.array(ids(tracker, boxes, (frame - 1) / RATE if timed else None), dtype=int)
        true = truth[truth[:, 0] == frame]
        book.update(
            true[:, 1].astype(int), names[names >= 0],
            mm.distances.iou_matrix(true[:, 2:6], boxes[names >= 0][:, :4], max_iou=0.5))
    summary = mm.metrics.create().compute(book, metrics=["mota", "idf1", "num_switches"]).iloc[0]
    return "%.3f/%.3f/%d" % tuple(summary)


if __name__ == "__main__":
    if sys.argv[1:] == ["crowd"]:
        write_crowd()
    elif sys.argv[1:2] == ["table"] and len(sys.argv) == 3:
        for sequence in ["TUD-Campus", "TUD-Stadtmitte"]:
            for method in METHODS:
                row = [score(sys.argv[2], sequence, method, *case) for case in [(1, False), (3, False), (3, True)]]
                print(f"{sequence:15} {method.tracker_id:10}", *row)
    else:
        sys.exit(__doc__)
