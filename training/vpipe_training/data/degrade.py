# SPDX-License-Identifier: Apache-2.0
"""Synthetic low light: what a sensor would have made of a clean clip, and the clip it should be restored to.

Linear light, a short exposure, shot noise as a Poisson count of electrons, read noise, row and column banding, 8-bit
storage, sometimes JPEG, then the gain that `dwtanet` applies to its input. The target is the noise-free exposure under
*the same* gain, colour cast and light field: the network is asked to remove noise and nothing that it cannot know.
"""
from dataclasses import dataclass

import cv2
import numpy as np

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_BYTES = np.arange(256) / 255.0
TO_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LEVELS = np.arange(65536) / 65535.0
_TO_SRGB = np.where(
    _LEVELS <= 0.0031308, 12.92 * _LEVELS, 1.055 * np.maximum(_LEVELS, 0.0031308) ** (1 / 2.4) - 0.055
).astype(np.float32)


def to_srgb(x):
    """Linear light, clipped to [0, 1], to sRGB; by table, with 16 bits."""
    return _TO_SRGB[(np.clip(x, 0, 1) * 65535 + 0.5).astype(np.uint16)]


@dataclass
class Exposure:
    """How one clip was taken."""

    light: float  # fraction of the full exposure
    full_well: float  # electrons at full exposure
    read: float  # standard deviation of the read noise, of full scale
    cast: np.ndarray  # gain per colour
    banding: tuple  # rows, columns; relative to the read noise
    has_field: bool  # uneven light over the image
    jpeg: int  # quality, 0 for none

    @staticmethod
    def draw(rng, hardness=1.0):
        """Random conditions; `hardness` 0 ... 1 widens the ranges from twilight to near darkness."""
        return Exposure(
            light=10 ** rng.uniform(-1.1 - 0.9 * hardness, -0.5),
            full_well=10 ** rng.uniform(2.3 - 0.8 * hardness, 3.3),
            read=10 ** rng.uniform(-3.3, -2.6 + 0.7 * hardness),
            cast=rng.uniform(0.8, 1.2, 3),
            banding=tuple(rng.uniform(0, 0.6, 2)),
            has_field=rng.random() < 0.5,
            jpeg=int(rng.integers(60, 98)) if rng.random() < 0.3 else 0,
        )


def auto_gain(clip, top=0.8, lowest=1.0, highest=128.0):
    """The factor that maps the 98th percentile of the coarse luma of a linear clip to `top`."""
    luma = np.stack([cv2.resize(f @ LUMA, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA) for f in clip])
    return float(np.clip(top / max(1e-4, np.percentile(luma, 98)), lowest, highest))


def degrade(clip, rng, exposure):
    """A clean clip, uint8 sRGB [T, H, W, 3], as (noisy gained input, target), float32 sRGB in [0, 1]."""
    frames, height, width, _ = clip.shape
    dark = TO_LINEAR[clip] * (exposure.light * exposure.cast).astype(np.float32)
    if exposure.has_field:
        field = rng.uniform(0.6, 1, (3, 4)).astype(np.float32)
        dark = dark * cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)[None, :, :, None]
    x = _electrons(dark * np.float32(exposure.full_well), rng) / np.float32(exposure.full_well)
    x += rng.standard_normal(x.shape, dtype=np.float32) * np.float32(exposure.read)
    for axis, strength in zip((1, 2), exposure.banding):  # half of it stays from frame to frame
        spread, count = exposure.read * strength / 2**0.5, x.shape[axis]
        bands = rng.normal(0, spread, (1, count, 3)) + rng.normal(0, spread, (frames, count, 3))
        x += np.expand_dims(bands, 3 - axis).astype(np.float32)
    x *= rng.normal(1, 0.02, (frames, 1, 1, 1)).astype(np.float32)
    stored = (to_srgb(x) * 255 + 0.5).astype(np.uint8)
    if exposure.jpeg:
        stored = np.stack([_jpeg(frame, exposure.jpeg) for frame in stored])
    linear = TO_LINEAR[stored]
    gain = auto_gain(linear)
    return to_srgb(TO_LINEAR * gain)[stored], to_srgb(dark * gain)


def _electrons(mean, rng):
    """Counts of a Poisson process; its Gaussian limit from 10 on, which is several times faster."""
    count = mean + np.sqrt(mean) * rng.standard_normal(mean.shape, dtype=np.float32)
    few = mean < 10
    count[few] = rng.poisson(mean[few])
    return count


def _jpeg(frame, quality):
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
