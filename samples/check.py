#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares vpipe's jsonl output with the truth beside a sample clip; needs Python only. Definitions: samples/README.md.

    python samples/check.py samples/demo.jsonl out.jsonl [--face-score 0.5] [--line-score 0.1] [--size 1280x720]
"""
import argparse
import json
import math
import sys


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = w * h if w > 0 and h > 0 else 0.0
    return shared / (a[2] * a[3] + b[2] * b[3] - shared) if shared else 0.0


def match_faces(truth, found):
    """Best score first, each face takes the free true face it overlaps most, if IoU >= 0.5. -> list of (truth, found)"""
    free, pairs = list(range(len(truth))), []
    for face in sorted(found, key=lambda f: -f.get("score", 1.0)):
        best = max(free, key=lambda i: iou(truth[i]["box"], face["box"]), default=None)
        if best is not None and iou(truth[best]["box"], face["box"]) >= 0.5:
            free.remove(best)
            pairs.append((truth[best], face))
    return pairs


def landmark_error(truth, face):
    """Mean distance of the five points over the true box's geometric mean side; None without points."""
    if len(face.get("landmarks") or []) != 5:
        return None
    side = math.sqrt(truth["box"][2] * truth["box"][3])
    return sum(math.dist(p, q) for p, q in zip(truth["landmarks"], face["landmarks"])) / 5 / side


def structural(a, b):
    """Sum of the two squared endpoint distances, in the better order; both lines in the 128 x 128 square."""
    d = lambda p, q: (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
    return min(d(a[0], b[0]) + d(a[1], b[1]), d(a[0], b[1]) + d(a[1], b[0]))


def match_lines(truth, found, limit):
    """Best score first, each line takes the nearest true line if it is free and nearer than `limit` (as sAP does)."""
    free, hits = set(range(len(truth))), 0
    for line, _ in sorted(found, key=lambda l: -l[1]):
        best = min(range(len(truth)), key=lambda i: structural(truth[i], line), default=None)
        if best in free and structural(truth[best], line) < limit:
            free.remove(best)
            hits += 1
    return hits


def near(point, line, off=1.5):
    """Whether a point lies within `off` of a line segment (128 square)."""
    (x0, y0), (x1, y1) = line
    dx, dy = x1 - x0, y1 - y0
    t = max(0.0, min(1.0, ((point[0] - x0) * dx + (point[1] - y0) * dy) / max(dx * dx + dy * dy, 1e-9)))
    return math.hypot(point[0] - x0 - t * dx, point[1] - y0 - t * dy) <= off


def aligned(a, b, degrees=8.0):
    turn = abs(math.atan2(a[1][1] - a[0][1], a[1][0] - a[0][0]) - math.atan2(b[1][1] - b[0][1], b[1][0] - b[0][0])) % math.pi
    return min(turn, math.pi - turn) <= math.radians(degrees)


def covered(lines, others, samples=33):
    """How many of `lines` have at least half of their length beside lines of `others` that run the same way."""
    count = 0
    for line in lines:
        parallel = [o for o in others if aligned(line, o)]
        points = [(line[0][0] + (line[1][0] - line[0][0]) * k / (samples - 1), line[0][1] + (line[1][1] - line[0][1]) * k / (samples - 1))
                  for k in range(samples)]
        count += sum(any(near(p, o) for o in parallel) for p in points) * 2 >= samples
    return count


def read(path):
    with open(path, encoding="utf-8") as file:
        # The first line of vpipe's records says what they are about and is of no frame.
        return {record["frame"]: record for record in map(json.loads, filter(str.strip, file)) if "frame" in record}


def compare(truth, found, size, face_score, line_score):
    to128 = lambda l: tuple((l[k][0] * 128 / size[0], l[k][1] * 128 / size[1]) for k in ("from", "to"))
    out = {"frames": len(truth), "framesMissing": len(truth.keys() - found.keys())}
    total = dict.fromkeys(("faces", "foundFaces", "faceHits", "lines", "foundLines", "sap10", "covered", "onTruth"), 0)
    errors = []
    for n, record in truth.items():
        other = found.get(n, {})
        if "faces" in record and any("faces" in r for r in found.values()):
            faces = [f for f in other.get("faces", []) if f.get("score", 1.0) >= face_score]
            pairs = match_faces(record["faces"], faces)
            total["faces"] += len(record["faces"])
            total["foundFaces"] += len(faces)
            total["faceHits"] += len(pairs)
            errors += [e for e in (landmark_error(*p) for p in pairs) if e is not None]
        if "lines" in record and any("lines" in r for r in found.values()):
            lines = [(to128(l), l.get("score", 1.0)) for l in other.get("lines", []) if l.get("score", 1.0) >= line_score]
            true = [to128(l) for l in record["lines"]]
            total["lines"] += len(true)
            total["foundLines"] += len(lines)
            total["sap10"] += match_lines(true, lines, 10.0)
            total["covered"] += covered(true, [l for l, _ in lines])
            total["onTruth"] += covered([l for l, _ in lines], true)
    part = lambda a, b: round(total[a] / total[b], 4) if total[b] else None
    if total["faces"] or total["foundFaces"]:
        out["faces"] = {"true": total["faces"], "found": total["foundFaces"], "recall": part("faceHits", "faces"),
                        "precision": part("faceHits", "foundFaces"),
                        "falsePerFrame": round((total["foundFaces"] - total["faceHits"]) / len(truth), 4),
                        "landmarkError": round(sum(errors) / len(errors), 4) if errors else None}
    if total["lines"]:
        out["lines"] = {"true": total["lines"], "found": total["foundLines"], "recallStructural10": part("sap10", "lines"),
                        "precisionStructural10": part("sap10", "foundLines"), "recallOverlap": part("covered", "lines"),
                        "precisionOverlap": part("onTruth", "foundLines")}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth")
    parser.add_argument("found")
    parser.add_argument("--face-score", type=float, default=0.5)
    parser.add_argument("--line-score", type=float, default=0.1)
    parser.add_argument("--size", default="1280x720", help="the clip's width x height in pixels")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    json.dump(compare(read(args.truth), read(args.found), (width, height), args.face_score, args.line_score), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
