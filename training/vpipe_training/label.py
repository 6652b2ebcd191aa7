# SPDX-License-Identifier: Apache-2.0
"""Labels of photographs and of frames of videos by several detectors, as a folder that `--data taught:` reads."""
import json
from pathlib import Path

import cv2
import numpy as np

from .data.media import stills


def write(label, folders, out):
    """Writes JPEG files and `labels.json`; `label(image)` gives boxes, landmarks and boxes to ignore."""
    out, rows = Path(out), []
    out.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        for image in stills(folder):
            boxes, points, ignored = label(image)
            name = f"{len(rows):05}.jpg"
            if not cv2.imwrite(str(out / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 94]):
                raise SystemExit(f"{out / name}: cannot be written")
            rows.append({"file": name, **{key: np.round(value, 1).tolist() for key, value in
                                          (("boxes", boxes), ("points", points), ("ignored", ignored))}})
    (out / "labels.json").write_text(json.dumps(rows))
    return rows
