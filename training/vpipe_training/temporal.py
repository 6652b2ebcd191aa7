# SPDX-License-Identifier: Apache-2.0
"""DWTA-Net's native part, as the pipeline computes it: how much of the warped history enters a frame."""
import math

import torch
import torch.nn.functional as F

MAXIMUM_WEIGHT, TOLERANCE, FALLOFF, NOISE_AFTER_BOX = 0.9, 1.3, 0.6, 1 / 3
LUMA = (0.299, 0.587, 0.114)


@torch.no_grad()
def noise_level(frame):
    """Standard deviation per frame [B, 1, 1, 1]: the median of the diagonal Haar band of luma."""
    y = (frame * frame.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1)
    band = (y[:, ::2, ::2] - y[:, 1::2, ::2] - y[:, ::2, 1::2] + y[:, 1::2, 1::2]) / 2
    return (band.abs().flatten(1).median(1).values / 0.6745).clamp(min=1e-3).view(-1, 1, 1, 1)


@torch.no_grad()
def history_weight(estimate, history, valid, age):
    """The history's weight and the new age map, both [B, 1, H, W]; no parameters, no gradient."""
    residual = _box(_box(estimate - history, 3).abs().mean(1, keepdim=True), 5)
    expected = math.sqrt(2 / math.pi) * noise_level(estimate) * NOISE_AFTER_BOX * torch.sqrt(1 + 1 / age.clamp(min=1))
    belief = valid * torch.exp(-(((residual / expected - TOLERANCE).clamp(min=0) / FALLOFF) ** 2))
    weight = belief * (age / (age + 1)).clamp(max=MAXIMUM_WEIGHT)
    older = (age + 1).clamp(max=1 / (1 - MAXIMUM_WEIGHT))
    return weight, torch.where(belief > 0.05, older, torch.ones_like(age))


def _box(x, side):
    return F.avg_pool2d(F.pad(x, (side // 2,) * 4, mode="replicate"), side, 1)
