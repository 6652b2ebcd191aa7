# SPDX-License-Identifier: Apache-2.0
"""Clean clips out of any folder of videos and photographs."""
import glob
import os

import cv2
import numpy as np

VIDEOS, PHOTOS = (".mp4", ".mkv", ".mov", ".webm", ".avi"), (".jpg", ".jpeg", ".png")


def files(folder, endings):
    """All files below a folder, sorted by path."""
    found = glob.glob(os.path.join(folder, "**", "*"), recursive=True)
    return sorted(f for f in found if f.lower().endswith(endings))


def read_video(path, height=360, start=0, count=None, every=1):
    """RGB uint8 [N, H, W, 3], scaled by area to `height` at most, both sides multiples of 8."""
    reader, frames, index = cv2.VideoCapture(str(path)), [], 0
    while count is None or len(frames) < count:
        if not reader.grab():
            break
        if index >= start and (index - start) % every == 0:
            frame = cv2.cvtColor(reader.retrieve()[1], cv2.COLOR_BGR2RGB)
            rows = min(height, frame.shape[0]) // 8 * 8
            columns = round(frame.shape[1] * rows / frame.shape[0] / 8) * 8
            frames.append(cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA))
        index += 1
    if not frames:
        raise OSError(f"{path}: no frames")
    return np.stack(frames)


def read_photo(path, height=480):
    """RGB uint8, scaled by area to `height` at most."""
    image = cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    scale = height / image.shape[0]
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image


def crop_video(video, rng, frames, size):
    """A crop of consecutive frames: random place, speed, direction, mirror and transpose."""
    step = int(rng.integers(1, min(3, (len(video) - 1) // (frames - 1) + 1)))
    first = int(rng.integers(0, len(video) - (frames - 1) * step))
    y = int(rng.integers(0, video.shape[1] - size + 1))
    x = int(rng.integers(0, video.shape[2] - size + 1))
    clip = video[first:first + (frames - 1) * step + 1:step, y:y + size, x:x + size]
    if rng.random() < 0.5:
        clip = clip[::-1]
    if rng.random() < 0.5:
        clip = clip[:, :, ::-1]
    if rng.random() < 0.25:
        clip = clip.transpose(0, 2, 1, 3)
    return np.ascontiguousarray(clip)


def pan_photo(photo, rng, frames, size):
    """A camera that drifts, turns and zooms smoothly over a photograph; still in a quarter of the clips."""
    height, width = photo.shape[:2]
    scale = max(size / min(height, width) * 1.15, rng.uniform(0.5, 1.2))
    centre = np.array([rng.uniform(0.5 * size / scale, width - 0.5 * size / scale),
                       rng.uniform(0.5 * size / scale, height - 0.5 * size / scale)])
    moves = rng.random() < 0.75
    speed = rng.normal(0, 2.5, 2) / scale * moves
    turn, zoom = rng.normal(0, 0.004) * moves, 1 + rng.normal(0, 0.004) * moves
    clip = []
    for t in range(frames):
        c, s = np.cos(turn * t) * scale * zoom**t, np.sin(turn * t) * scale * zoom**t
        at = centre + speed * t
        matrix = np.float32([[c, -s, size / 2 - c * at[0] + s * at[1]], [s, c, size / 2 - s * at[0] - c * at[1]]])
        clip.append(cv2.warpAffine(photo, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    return np.stack(clip)
