#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders the sample clips and the truth beside them.

    pip install -r samples/requirements.txt
    python samples/make_samples.py            # all clips, some minutes
    python samples/make_samples.py demo       # one clip
    python samples/make_samples.py --still 40 faces out.png

Every number comes from fixed seeds: the same packages on the same kind of CPU give the same pictures, sound and truth bit for
bit. libx264 may compress the same pictures a little differently from run to run.
"""
import argparse
import fractions
import json
import os
import pathlib

import av
import cv2
import numpy as np

from scenes import camera as cameras
from scenes.heads import Look
from scenes.people import Light, Person
from scenes.room import Room
from scenes.street import Street

HERE = pathlib.Path(__file__).resolve().parent
RATE, SOUND_RATE = 25, 44100

ANNA = Look(3, (236, 190, 164), (150, 104, 56), (88, 110, 70), (52, 110, 92), (186, 84, 88), "long", 0, 0.95, 0.5)
BEN = Look(1, (224, 172, 140), (62, 42, 28), (70, 95, 110), (70, 96, 140))
CHIDI = Look(2, (141, 92, 66), (22, 16, 14), (50, 32, 22), (150, 60, 50), (120, 62, 60), "short", 0.0, 1.02, 0.5)
DAVID = Look(4, (198, 146, 112), (40, 34, 32), (60, 44, 32), (190, 180, 160), (160, 92, 86), "bald", 0.75, 1.04, 0.2)
EBELE = Look(5, (112, 72, 52), (20, 15, 13), (40, 26, 20), (200, 150, 50), (116, 58, 56), "long", 0, 0.96, 0.4)


class Walk:
    """Where a person is at time s: smooth, periodic paths in fractions of the frame's height."""

    def __init__(self, look, x, y, head, sway=(0.10, 0.05), turn=0.35, phase=0.0, drift=0.0, zoom=0.0):
        """x, y: the head's middle; head: its height crown to chin; drift: sideways per second."""
        self.look, self.x, self.y, self.head = look, x, y, head
        self.sway, self.turn, self.phase, self.drift, self.zoom = sway, turn, phase, drift, zoom

    def at(self, s):
        a = 0.9 * s + self.phase
        return dict(x=self.x + self.drift * s + self.sway[0] * np.sin(a * 0.8), y=self.y + self.sway[1] * 0.4 * np.sin(a * 1.3),
                    head=self.head * (1 + self.zoom * np.sin(a * 0.6)), yaw=self.turn * np.sin(a * 1.1 + 0.5),
                    pitch=0.05 + 0.06 * np.sin(a * 0.9 + 2), roll=0.07 * np.sin(a * 0.7 + 1))

    def largest(self):
        return self.head * (1 + abs(self.zoom))


# Farthest first: nearer people are drawn over them.
CLIPS = {
    "room": dict(seconds=6, size=(1280, 720), people=[], lines=True,
                 camera=lambda s: dict(position=(-0.45 + 0.15 * s, 0.02 * np.sin(s), 0.55 + 0.05 * s), yaw=0.10 - 0.03 * s, pitch=0.02)),
    "faces": dict(seconds=6, size=(1280, 720), lines=False, blur=14.0,
                  camera=lambda s: dict(position=(0.3 - 0.06 * s, 0, 0.6), yaw=-0.05 + 0.02 * s, pitch=-0.02),
                  people=[Walk(EBELE, 1.26, 0.33, 0.150, (0.02, 0.02), 0.35, 4.0), Walk(CHIDI, 0.60, 0.33, 0.215, (0.04, 0.03), 0.4, 2.2),
                          Walk(BEN, 1.55, 0.40, 0.270, (0.05, 0.04), 0.4, 3.3, zoom=0.10),
                          Walk(DAVID, 0.26, 0.48, 0.36, (0.05, 0.05), 0.42, 0.9, zoom=0.10),
                          Walk(ANNA, 0.97, 0.52, 0.40, (0.04, 0.04), 0.40, 0.0, zoom=0.08)]),
    "demo": dict(seconds=8, size=(1280, 720), lines=True,
                 camera=lambda s: dict(position=(-0.30 + 0.09 * s, 0.0, 0.60 + 0.04 * s), yaw=0.08 - 0.02 * s, pitch=0.02),
                 people=[Walk(CHIDI, 0.98, 0.50, 0.20, (0.02, 0.02), 0.35, 2.2, drift=-0.020),
                         Walk(ANNA, 0.42, 0.50, 0.29, (0.04, 0.03), 0.38, 0.0, drift=0.012),
                         Walk(BEN, 1.48, 0.52, 0.34, (0.03, 0.03), 0.38, 3.3, drift=-0.014, zoom=0.05)]),
    "street": dict(seconds=4, size=(640, 360), place=Street, people=[], lines=False, truth=False, sound=24000, crf="30",
                   camera=lambda s: dict(position=(0.9 + 0.05 * np.sin(2 * s), 0.02 * np.sin(5 * s), 0.5 + 1.6 * s), yaw=0.015 * np.sin(s), pitch=0.0)),
    "tiny": dict(seconds=2, size=(320, 240), lines=True, sound=24000,
                 camera=lambda s: dict(position=(-0.25 + 0.1 * s, 0.0, 0.9), yaw=0.06 - 0.03 * s, pitch=0.02),
                 people=[Walk(ANNA, 0.60, 0.52, 0.46, (0.05, 0.03), 0.3, 0.0, drift=0.05)]),
}


class Scene:
    def __init__(self, name):
        self.clip = CLIPS[name]
        self.width, self.height = self.clip["size"]
        self.frames = self.clip["seconds"] * RATE
        self.room = self.clip.get("place", Room)()
        self.people = [Person(w.look, w.largest() * self.height * 1.02) for w in self.clip["people"]]

    def frame(self, n):
        """-> RGB picture, faces and lines (None where the clip's lines are not known)"""
        s, w, h = n / RATE, self.width, self.height
        camera = cameras.Camera(w, h, **self.clip["camera"](s))
        blur = self.clip.get("blur")
        picture, depth = cameras.draw(self.room, camera)
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur * h / 720)
        faces, covers = [], []
        for person, walk in zip(self.people, self.clip["people"]):
            face, cover = self.place(picture, person, walk.at(s))
            faces.append(face)
            covers.append(cover)
            depth[cover] = 0.3
        lines = cameras.lines(self.room, camera, picture, depth) if self.clip["lines"] else None
        keep = [f for i, f in enumerate(faces) if self.seen(f["box"], covers[i + 1 :]) >= 0.6]
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8), keep, lines

    def place(self, picture, person, pose):
        w, h = self.width, self.height
        center = np.array([pose["x"], pose["y"]]) * h
        whole = np.floor(center).astype(int)
        sprite, origin, box, points = person.render(pose["head"] * h, pose["yaw"], pose["pitch"], pose["roll"],
                                                    Light(strength=1.0), center=tuple(center - whole))
        x0, y0 = whole - origin
        below = h - (y0 + sprite.shape[0])
        if below > 0:  # clothes go on down to the frame's edge
            sprite = np.concatenate([sprite[:-2], np.repeat(sprite[-3:-2], below + 2, 0)])
        a, b, c, d = max(0, x0), max(0, y0), min(w, x0 + sprite.shape[1]), min(h, y0 + sprite.shape[0])
        part = sprite[b - y0 : d - y0, a - x0 : c - x0]
        alpha = part[..., 3:]
        color = cameras.encode(part[..., :3] / np.maximum(alpha, 1e-4))
        picture[b:d, a:c] += alpha * (color - picture[b:d, a:c])
        cover = np.zeros((h, w), bool)
        cover[b:d, a:c] = alpha[..., 0] > 0.5
        return dict(box=np.r_[box[:2] + center, box[2:]], landmarks=points + center), cover

    def seen(self, box, covers):
        """The part of a face's box inside the frame and not behind somebody nearer."""
        x0, y0, x1, y1 = np.round([box[0], box[1], box[0] + box[2], box[1] + box[3]]).astype(int)
        inside = np.zeros((max(1, y1 - y0), max(1, x1 - x0)), bool)
        a, b, c, d = max(0, x0), max(0, y0), min(self.width, x1), min(self.height, y1)
        if c <= a or d <= b:
            return 0.0
        inside[b - y0 : d - y0, a - x0 : c - x0] = ~np.any([k[b:d, a:c] for k in covers] or [np.zeros((d - b, c - a), bool)], axis=0)
        return inside.mean()


def sound(seconds):
    """A soft rising sweep with a beep at every full second, so that sync can be heard: mono float -1..1."""
    t = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    low, high = 180.0, 720.0
    sweep = np.sin(2 * np.pi * (low * t + (high - low) * t * t / (2 * seconds)))
    beep = np.sin(2 * np.pi * 1000 * t) * ((t % 1.0) < 0.08)
    fade = np.minimum(1, np.minimum(t, seconds - t) / 0.05)
    return ((0.12 * sweep + 0.35 * beep) * fade).astype(np.float32)


def write(name, folder):
    scene = Scene(name)
    path = folder / f"{name}.mp4"
    rounded = lambda v: [round(float(x), 1) for x in v]
    records = folder / f"{name}.jsonl" if scene.clip.get("truth", True) else pathlib.Path(os.devnull)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out, open(records, "w") as truth:
        out.metadata["comment"] = "rendered by samples/make_samples.py, Apache-2.0"
        video = out.add_stream("libx264", rate=RATE, options={"crf": scene.clip.get("crf", "25"), "preset": "veryslow", "g": "50", "threads": "1"})
        video.width, video.height, video.pix_fmt = scene.width, scene.height, "yuv420p"
        video.time_base = fractions.Fraction(1, RATE)
        context = video.codec_context  # BT.709, limited range, and said so
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = 1, 1, 1, 1
        audio = out.add_stream("aac", rate=SOUND_RATE, options={})
        audio.bit_rate, audio.layout = scene.clip.get("sound", 48000), "mono"
        samples, at = sound(scene.clip["seconds"]), 0
        for n in range(scene.frames):
            picture, faces, lines = scene.frame(n)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base = n, fractions.Fraction(1, RATE)
            frame.colorspace, frame.color_range = 1, 1
            out.mux(video.encode(frame))
            while at < len(samples) and at <= (n + 1) * SOUND_RATE // RATE:
                block = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], "fltp", "mono")
                block.sample_rate, block.pts, block.time_base = SOUND_RATE, at, fractions.Fraction(1, SOUND_RATE)
                out.mux(audio.encode(block))
                at += 1024
            record = {"source": name, "frame": n, "pts": round(n / RATE, 6),
                      "faces": [{"box": rounded(f["box"]), "landmarks": [rounded(p) for p in f["landmarks"]]} for f in faces]}
            if lines is not None:
                record["lines"] = [{"from": rounded(v[:2]), "to": rounded(v[2:])} for v in lines]
            truth.write(json.dumps(record, separators=(",", ":")) + "\n")
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    print(f"{path.name}: {scene.frames} frames, {path.stat().st_size} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", default=list(CLIPS), help=f"of {', '.join(CLIPS)}; with --still: CLIP FILE.png")
    parser.add_argument("--still", type=int, metavar="N", help="write one frame as a picture, with its truth drawn in FILE.truth.png")
    parser.add_argument("--output", type=pathlib.Path, default=HERE)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.still is None:
        for name in args.clips:
            write(name, args.output)
        return
    picture, faces, lines = Scene(args.clips[0]).frame(args.still)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.imwrite(args.clips[1], bgr)
    for v in lines if lines is not None else []:
        cv2.line(bgr, tuple(map(int, v[:2])), tuple(map(int, v[2:])), (0, 0, 255), 2, cv2.LINE_AA)
    for f in faces:
        x, y, w, h = (int(v) for v in f["box"])
        cv2.rectangle(bgr, (x, y), (x + w, y + h), (0, 255, 0), 2)
        for p in f["landmarks"]:
            cv2.circle(bgr, tuple(map(int, p)), 3, (255, 0, 255), -1)
    cv2.imwrite(args.clips[1].replace(".png", ".truth.png"), bgr)


if __name__ == "__main__":
    main()
