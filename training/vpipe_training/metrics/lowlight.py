# SPDX-License-Identifier: Apache-2.0
"""PSNR, SSIM and warping error of enhanced video, all on frames rounded to 8 bits."""
import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ..data.flow import Flow
from ..losses.lowlight import ssim
from ..warp import warp


def rounded(frame):
    return (frame.clamp(0, 1) * 255).round() / 255


def psnr(a, b):
    """In dB."""
    return -10 * float(torch.log10((a - b).square().mean().clamp(min=1e-10)))


def visible(flow, back):
    """1 where a backward flow is neither occluded nor at a motion boundary (Sundaram et al., 2010)."""
    returned, inside = warp(back, flow)

    def square(x):
        return x.square().sum(1, keepdim=True)

    across = F.pad(flow[..., 1:] - flow[..., :-1], (0, 1))
    down = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    agrees = square(flow + returned) <= 0.01 * (square(flow) + square(returned)) + 0.5
    smooth = square(across) + square(down) <= 0.01 * square(flow) + 0.002
    return inside * agrees * smooth


class WarpingError:
    """Mean square change along the motion of the clean video, of pixels visible in both frames."""

    def __init__(self, clean):
        """`clean`: frames [1, 3, H, W] in [0, 1]."""
        flow = Flow(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        images = [frame[0].permute(1, 2, 0).numpy() for frame in clean]
        self.flows, self.masks = [], []
        for before, now in zip(images, images[1:]):
            there, back = (torch.from_numpy(flow(a, b, 0.6, False))[None] for a, b in ((now, before), (before, now)))
            self.flows.append(there)
            self.masks.append(visible(there, back))

    def __call__(self, frames):
        errors = []
        for before, now, flow, mask in zip(frames, frames[1:], self.flows, self.masks):
            change = (mask * (now - warp(before, flow)[0]).square()).sum()
            errors.append(float(change / (3 * mask.sum()).clamp(min=1)))
        return float(np.mean(errors))


def compare(frames, clean, warping, skip=2):
    """Figures of a clip against the clean one; the first `skip` frames, without full history, are left out."""
    frames, clean = [rounded(f) for f in frames], [rounded(f) for f in clean]
    pairs = list(zip(frames, clean))[skip:]
    return {"psnr": round(float(np.mean([psnr(a, b) for a, b in pairs])), 2),
            "ssim": round(float(np.mean([float(ssim(a, b)) for a, b in pairs])), 4),
            "warping_error": round(1e4 * warping(frames), 2)}
