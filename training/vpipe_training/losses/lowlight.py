# SPDX-License-Identifier: Apache-2.0
"""DWTA-Net's texture-adaptive loss and its temporal loss.

A texture map from the high-frequency Haar bands of the target balances a pixel, a perceptual and a smoothing term. The
perceptual term compares Haar bands at three scales, so that nothing pretrained is needed.
"""
import torch
import torch.nn.functional as F

from ..warp import warp

LUMA = (0.299, 0.587, 0.114)


def haar(x):
    """One level of the orthonormal Haar transform: low-low, horizontal, vertical, diagonal."""
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2


def texture_map(target, kappa=0.03):
    """How textured each pixel is, 0 ... 1, [B, 1, H, W]."""
    luma = (target * target.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    energy = sum(band.abs() for band in haar(luma)[1:])
    energy = F.avg_pool2d(F.pad(energy, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return 1 - torch.exp(-F.interpolate(energy, scale_factor=2, mode="bilinear", align_corners=False) / kappa)


def haar_features(x, levels=3):
    """High-frequency bands, finest first."""
    features = []
    for _ in range(levels):
        x, *bands = haar(x)
        features.append(torch.cat(bands, 1))
        x = x / 2
    return features


def charbonnier(difference, epsilon=1e-3):
    return torch.sqrt(difference * difference + epsilon * epsilon)


def ssim(a, b, window=11, sigma=1.5):
    """Mean structural similarity of images in [0, 1]: Gaussian window, valid area. Differences of squares need 32 bits."""
    a, b = a.float(), b.float()
    kernel = torch.exp(-((torch.arange(window, dtype=a.dtype, device=a.device) - window // 2) ** 2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    channels = a.shape[1]

    def blur(x):
        x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, window), groups=channels)
        return F.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, window, 1), groups=channels)

    with torch.autocast(a.device.type, enabled=False):
        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + 1e-4) * (2 * cov + 9e-4)
    return (top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4))).mean()


def frame_loss(output, target, features=haar_features):
    """Texture-adaptive loss of one batch of frames in [0, 1]; `features` maps an image to a list of feature maps."""
    texture = texture_map(target)
    loss = ((1 + 2 * texture) * charbonnier(output - target)).mean()
    for a, b in zip(features(output), features(target)):
        loss = loss + 0.1 * (F.interpolate(texture, a.shape[-2:], mode="area") * (a - b).abs()).mean()
    across = (output[..., :, 1:] - output[..., :, :-1]).abs()
    down = (output[..., 1:, :] - output[..., :-1, :]).abs()
    flat = 1 - texture
    loss = loss + 0.05 * ((flat[..., :, 1:] * across).mean() + (flat[..., 1:, :] * down).mean())
    return loss + 0.2 * (1 - ssim(output, target))


def temporal_loss(output, before, target, target_before, flow):
    """Whether the output changes along the motion as the target does; `flow` comes from the clean frames."""
    warped, inside = warp(before, flow)
    expected, _ = warp(target_before, flow)
    return (inside * ((output - warped) - (target - expected)).abs()).mean()
