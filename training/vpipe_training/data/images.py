# SPDX-License-Identifier: Apache-2.0
"""Images: reading and changes that labels survive. Everything is RGB, uint8, [H, W, 3]."""
import cv2
import numpy as np


def read(path):
    """An image file; `OSError` when it cannot be read."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"{path}: not a readable image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def jitter(image, rng, blur=0.2, noise=0.3):
    """Brightness, contrast, gamma and white balance by one table; saturation; sometimes blur and grain."""
    level = np.arange(256, dtype=np.float32) / 255
    if rng.random() < 0.85:
        gamma, contrast, offset = 2 ** rng.uniform(-0.7, 0.7), rng.uniform(0.65, 1.4), rng.uniform(-0.12, 0.12)
        balance = rng.uniform(0.9, 1.1, 3)
        table = np.stack([((level**gamma - 0.5) * contrast + 0.5 + offset) * b for b in balance], -1)
        image = cv2.LUT(image, np.clip(table * 255 + 0.5, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        saturation = rng.uniform(0, 1.6)
        image = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
    if rng.random() < blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < noise:
        half = (image.shape[0] // 2 + 1, image.shape[1] // 2 + 1, 3)
        grain = np.empty(half, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 30)))
        cv2.randn(grain, 0, rng.uniform(2, 10))
        grain = cv2.resize(grain, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    return image


def random_view(image, rng, size):
    """A square view: random crop, aspect and mirror, sometimes perspective. Also the 3x3 matrix from source to view."""
    height, width = image.shape[:2]
    w, h, x, y = width, height, 0.0, 0.0
    if rng.random() > 0.3:
        scale, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.25, 0.25))
        w, h = min(width, width * scale * aspect), min(height, height * scale / aspect)
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
    source = np.float32([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    if rng.random() < 0.35:
        source += rng.uniform(-0.06, 0.06, (4, 2)).astype(np.float32) * np.float32([w, h])
        source = np.clip(source, 0, [width - 1, height - 1]).astype(np.float32)
    if rng.random() < 0.5:
        source = source[[1, 0, 3, 2]]
    target = np.float32([[0, 0], [size, 0], [size, size], [0, size]])
    matrix = cv2.getPerspectiveTransform(source, target)
    shrink = min(w, h) / size
    if shrink > 1.3:  # By area first, so that the warp does not alias.
        small = cv2.resize(image, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        grow = np.diag([width / small.shape[1], height / small.shape[0], 1.0])
        warped = cv2.warpPerspective(small, matrix @ grow, (size, size), borderMode=cv2.BORDER_REFLECT)
    else:
        warped = cv2.warpPerspective(image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
    return warped, matrix
