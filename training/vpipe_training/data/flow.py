# SPDX-License-Identifier: Apache-2.0
"""Dense inverse search flow as the pipeline computes it: blurred luma at half size, brightness matched."""
import cv2
import numpy as np


class Flow:
    """Backward flow between frames of float RGB; one instance a process."""

    def __init__(self, preset=cv2.DISOPTICAL_FLOW_PRESET_FAST):
        self.dis = cv2.DISOpticalFlow_create(preset)

    def __call__(self, now, before, sigma=1.2, half=True):
        """[2, H, W] in pixels, x first: now(p) is before(p + flow)."""
        a, b = _luma(now, sigma, half), _luma(before, sigma, half).astype(np.float32)
        b = (b - b.mean()) * (a.std() / max(b.std(), 1.0)) + a.mean()
        flow = self.dis.calc(a, np.clip(b, 0, 255).astype(np.uint8), None)
        if half:
            flow = cv2.resize(flow, (now.shape[1], now.shape[0]), interpolation=cv2.INTER_LINEAR) * 2
        return np.ascontiguousarray(flow.transpose(2, 0, 1))


def _luma(x, sigma, half):
    y = cv2.GaussianBlur(cv2.cvtColor(np.ascontiguousarray(x, np.float32), cv2.COLOR_RGB2GRAY), (0, 0), sigma)
    if half:
        y = cv2.resize(y, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.clip(y * 255 + 0.5, 0, 255).astype(np.uint8)
