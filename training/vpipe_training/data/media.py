# SPDX-License-Identifier: Apache-2.0
"""Single images out of any folder: its photographs, and frames of its videos."""
import cv2

from . import images
from .video import PHOTOS, VIDEOS, files, read_video


def stills(folder, every=12, longest=1024):
    """RGB uint8 images, none with a side above `longest`; of videos every `every`-th frame."""
    found = [_bounded(images.read(path), longest) for path in files(folder, PHOTOS)]
    for path in files(folder, VIDEOS):
        found += [_bounded(frame, longest) for frame in read_video(path, height=720, every=every)]
    return found


def _bounded(image, longest):
    scale = longest / max(image.shape[:2])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
