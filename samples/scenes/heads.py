# SPDX-License-Identifier: Apache-2.0
"""A human head as a displaced surface with painted skin, eyes, brows, lips and hair.

Head units: x to the right of the picture, y down, z towards the viewer; the skull's top is y = -1, the chin y = +1,
eyes near y = 0. All numbers are proportions chosen by eye and by what face detectors recognise.
"""
from dataclasses import dataclass

import cv2
import numpy as np

EYE, BROW_Y, NOSE_TIP_Y, MOUTH_Y, MOUTH_X = (0.30, 0.02), -0.15, 0.38, 0.645, 0.25


@dataclass(frozen=True)
class Look:
    """What makes one person: colours are sRGB 0..255."""

    seed: int
    skin: tuple
    hair: tuple
    iris: tuple = (88, 62, 40)
    shirt: tuple = (60, 80, 120)
    lips: tuple = (170, 88, 84)
    style: str = "short"  # short, long, bald
    beard: float = 0.0
    width: float = 1.0
    smile: float = 0.3


def linear(color):
    return (np.asarray(color, np.float32) / 255) ** 2.2


def bump(x, y, cx, cy, sx, sy):
    return np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def pair(x, y, cx, cy, sx, sy):
    return bump(np.abs(x), y, cx, cy, sx, sy)


def smooth(edge0, edge1, v):
    t = np.clip((v - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def noise(rng, shape, cells, octaves=3):
    """Smooth value noise in -1..1; cells = (rows, columns) of the coarsest lattice."""
    out, amp, total = np.zeros(shape, np.float32), 1.0, 0.0
    for o in range(octaves):
        grid = rng.uniform(-1, 1, (max(2, cells[0] << o), max(2, cells[1] << o))).astype(np.float32)
        out += amp * cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
        total, amp = total + amp, amp * 0.5
    return out / total


def surface(theta, phi, look):
    """Angles -> bare head position; theta around the vertical axis (0 = face), phi from crown to chin."""
    y, c = np.sin(phi), np.cos(phi)
    narrow = 1 - 0.24 * smooth(0.05, 0.95, y)
    x = 0.73 * look.width * narrow * c**0.92 * np.sin(theta)
    z = 0.86 * c**0.72 * np.cos(theta)
    return x, y, np.where(np.cos(theta) < 0, z * 0.95, z)


def relief(x, y, look):
    """How far the face stands out of the bare head, in head units."""
    ridge = smooth(-0.16, 0.36, y) * (1 - smooth(0.385, 0.47, y))
    nose = 0.25 * ridge * np.exp(-0.5 * (x / (0.062 + 0.035 * smooth(0.05, 0.38, y))) ** 2)
    nose += 0.075 * pair(x, y, 0.105, 0.405, 0.042, 0.045)
    eyes = -0.085 * pair(x, y, EYE[0], EYE[1] - 0.02, 0.15, 0.085) + 0.05 * pair(x, y, *EYE, 0.095, 0.06)
    brow = 0.045 * pair(x, y, 0.26, BROW_Y - 0.02, 0.2, 0.06)
    cheek = 0.05 * pair(x, y, 0.40, 0.30, 0.15, 0.14)
    lips = 0.05 * bump(x, y, 0, MOUTH_Y - 0.035, 0.13, 0.03) + 0.06 * bump(x, y, 0, MOUTH_Y + 0.045, 0.12, 0.035)
    lips -= 0.03 * bump(x, y, 0, MOUTH_Y + 0.115, 0.12, 0.03) + 0.02 * pair(x, y, MOUTH_X, MOUTH_Y, 0.04, 0.03)
    chin = 0.07 * bump(x, y, 0, 0.88, 0.14, 0.09)
    return nose + eyes + brow + cheek + lips + chin


def hair_distance(theta, y, look):
    """Signed distance to the hairline in head units: negative where hair grows."""
    side = np.abs(theta)
    if look.style == "bald":
        return np.ones_like(theta + y)
    if look.style == "long":
        line = -0.60 + 0.10 * side**2 + 1.75 * smooth(0.95, 1.30, side)
    else:
        line = -0.60 + 0.10 * side**2 + 0.62 * smooth(1.0, 1.45, side)
    slope = np.gradient(line, axis=-1) / np.maximum(np.abs(np.gradient(theta, axis=-1)), 1e-6)
    return (y - line) / np.sqrt(1 + (slope * 0.8) ** 2)


def build(look, rows, columns):
    """-> positions [rows, columns, 3], linear colours [.., 3], glossiness [..]; sampled finely enough to be splatted."""
    rng = np.random.default_rng(look.seed)
    theta, phi = np.meshgrid(np.linspace(-2.5, 2.5, columns, dtype=np.float32),
                             np.linspace(-1.57, 1.57, rows, dtype=np.float32))
    x, y, z = surface(theta, phi, look)
    front = smooth(0.15, 0.45, z) * (np.cos(theta) > 0)
    distance = hair_distance(theta, y, look)
    strands = noise(rng, x.shape, (5, 90), 2)
    hair, volume = smooth(0.03, -0.03, distance + 0.018 * strands), smooth(0.10, -0.14, distance)
    z = z + relief(x, y, look) * front
    puff = 1 + volume * (0.085 + 0.015 * strands) * (1.15 if look.style == "long" else 0.8)
    position = np.stack([x * puff, np.where(y < 0, y * (1 + volume * 0.07), y), z * puff], -1)

    skin = linear(look.skin)
    color = np.broadcast_to(skin, x.shape + (3,)).copy()
    grain = noise(rng, x.shape, (40, 60), 2) * 0.05 + noise(rng, x.shape, (6, 9), 2) * 0.06
    color *= (1 + grain)[..., None]
    blush = 0.45 * pair(x, y, 0.42, 0.34, 0.14, 0.11) + 0.35 * bump(x, y, 0, 0.38, 0.09, 0.08)
    color *= 1 - blush[..., None] * front[..., None] * np.float32([0.02, 0.28, 0.26])
    # creases and hollows keep light out
    dark = 0.55 * pair(x, y, 0.28, -0.045, 0.15, 0.035) + 0.35 * pair(x, y, 0.17, 0.02, 0.05, 0.06)
    dark += 0.38 * bump(x, y, 0, 0.475, 0.13, 0.025) + 0.85 * pair(x, y, 0.062, 0.438, 0.034, 0.018)
    dark += 0.30 * pair(x, y, 0.17, 0.42, 0.025, 0.05) + 0.35 * bump(x, y, 0, MOUTH_Y + 0.115, 0.13, 0.025)
    dark += 0.22 * pair(x, y, 0.29, 0.125, 0.12, 0.018) + 0.16 * pair(x, y, 0.23 + 0.12 * (y - 0.45), 0.52, 0.022, 0.1)
    color *= 1 - np.clip(dark * front, 0, 0.92)[..., None]
    if look.beard:
        zone = smooth(0.40, 0.62, y) * (1 - 0.9 * bump(x, y, 0, MOUTH_Y, 0.2, 0.06)) * smooth(0.1, 0.45, np.abs(theta) + y)
        paint(color, np.clip(zone * look.beard * (0.8 + 0.4 * strands), 0, 1) * (np.abs(theta) < 1.5), linear(look.hair))

    ax = np.abs(x)
    corner = MOUTH_Y - look.smile * 0.16 * (ax / MOUTH_X) ** 2
    up = corner - 0.055 * (1 - (ax / MOUTH_X) ** 2) * (1 - 0.35 * np.exp(-((ax / 0.03) ** 2)))
    low = corner + 0.085 * (1 - (ax / MOUTH_X) ** 2)
    inside = (ax < MOUTH_X) * front
    paint(color, smooth(-0.008, 0.012, y - up) * smooth(-0.012, 0.01, low - y) * inside, linear(look.lips))
    paint(color, 0.85 * np.exp(-(((y - corner) / 0.011) ** 2)) * smooth(MOUTH_X * 1.08, MOUTH_X * 0.8, ax) * front,
          linear(look.lips) * 0.12)

    brow = BROW_Y - 0.05 * np.sin(np.clip((ax - 0.12) / 0.36, 0, 1) * 2.4)
    thick = 0.034 * smooth(0.10, 0.15, ax) * (1 - 0.6 * smooth(0.3, 0.5, ax)) + 1e-4
    brow_color = linear(look.hair) * 0.8 if look.style != "bald" or look.beard else linear((60, 46, 38))
    paint(color, np.exp(-(((y - brow) / thick) ** 2)) * smooth(0.09, 0.13, ax) * smooth(0.5, 0.44, ax) * front * 0.95,
          brow_color)

    # eyes: an almond of white, iris, pupil, a lid line above, a highlight
    ex, ey = (ax - EYE[0]) / 0.135, y - EYE[1]
    lid, lower = -0.062 * (1 - np.abs(ex) ** 2.2), 0.045 * (1 - np.abs(ex) ** 2)
    open_ = smooth(-0.006, 0.008, ey - lid) * smooth(-0.006, 0.008, lower - ey) * (np.abs(ex) < 1) * front
    paint(color, open_, linear((222, 218, 214)) * (1 - 0.4 * smooth(0.02, -0.06, ey))[..., None])
    r = np.hypot(ax - EYE[0], ey + 0.006)
    paint(color, open_ * smooth(0.064, 0.054, r), linear(look.iris))
    paint(color, open_ * smooth(0.032, 0.026, r), np.float32([0.004] * 3))
    paint(color, open_ * smooth(0.016, 0.008, np.hypot(x - np.sign(x) * EYE[0] + 0.022, ey + 0.03)), np.float32([0.95] * 3))
    paint(color, 0.9 * np.exp(-(((ey - lid) / 0.013) ** 2)) * (np.abs(ex) < 1.06) * front, np.float32([0.012, 0.008, 0.006]))
    paint(color, 0.4 * np.exp(-(((ey - lower) / 0.008) ** 2)) * (np.abs(ex) < 1.0) * front, skin * 0.25)

    paint(color, hair, linear(look.hair) * (1 + 0.55 * strands)[..., None])
    gloss = 0.10 * (1 - hair) + 0.07 * hair + 0.1 * open_
    return position.astype(np.float32), np.clip(color, 0, 1).astype(np.float32), gloss.astype(np.float32)


def landmarks(look):
    """The five points in head units: eyes left to right in the picture, nose tip, mouth corners."""
    x = np.float32([-EYE[0], EYE[0], 0, -MOUTH_X, MOUTH_X])
    y = np.float32([EYE[1], EYE[1], NOSE_TIP_Y, 0, 0])
    y[3:] = MOUTH_Y - look.smile * 0.16
    phi = np.arcsin(y)
    rx = 0.73 * look.width * (1 - 0.24 * smooth(0.05, 0.95, y)) * np.cos(phi) ** 0.92
    theta = np.arcsin(np.clip(x / rx, -1, 1))
    _, _, z = surface(theta, phi, look)
    return np.stack([x, y, z + relief(x, y, look)], -1)


def paint(color, alpha, paint_color):
    a = np.asarray(alpha, np.float32)[..., None]
    color *= 1 - a
    color += a * paint_color
