# SPDX-License-Identifier: Apache-2.0
"""A person from the chest up, turned and lit, as a picture with transparency, and where the face is in it."""
from dataclasses import dataclass

import cv2
import numpy as np

from . import heads

OVERSAMPLE = 2


@dataclass(frozen=True)
class Light:
    """One soft lamp, a sky and a ground; directions point towards the light in camera axes (x right, y down, z to us)."""

    key: tuple = (-0.45, -0.62, 0.65)
    strength: float = 0.95
    sky: tuple = (0.42, 0.44, 0.48)
    ground: tuple = (0.20, 0.17, 0.15)


def rotation(yaw, pitch, roll):
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (tilt @ nod @ turn).astype(np.float32)


def normals(position):
    du, dv = np.gradient(position, axis=1), np.gradient(position, axis=0)
    n = np.cross(du, dv)
    return n / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9)


def ellipsoid(center, radii, rows, columns, color, texture=None, power=1.0):
    """The half of an ellipsoid that can face the viewer, as positions, colours and gloss."""
    t, p = np.meshgrid(np.linspace(-1.75, 1.75, columns, dtype=np.float32), np.linspace(-1.57, 1.57, rows, dtype=np.float32))
    c = np.cos(p) ** power
    pos = np.stack([np.sin(t) * c, np.sin(p), np.cos(t) * c], -1) * np.float32(radii) + np.float32(center)
    col = np.broadcast_to(heads.linear(color), pos.shape).copy()
    if texture is not None:
        col *= texture(pos)[..., None]
    return pos, col.astype(np.float32), np.full(pos.shape[:2], 0.03, np.float32)


class Person:
    """Meshes are made once for the largest size asked for; `render` then turns, lights and splats them."""

    def __init__(self, look, largest):
        """largest: the greatest head height in pixels that will be asked for."""
        self.look = look
        n = int(largest * OVERSAMPLE * 1.15) + 60
        self.head = heads.build(look, n, int(n * 1.3))
        skin = tuple(0.93 * c for c in look.skin)
        fold = lambda p: 1 + 0.10 * np.sin(p[..., 0] * 7 + p[..., 1] * 3) * np.clip(p[..., 1] - 1.6, 0, 1)
        shade = lambda p: 0.42 + 0.58 * heads.smooth(0.95, 1.45, p[..., 1])  # the chin's shadow
        m = int(n * 1.4)
        self.body = [ellipsoid((0, 1.15, -0.16), (0.37, 0.85, 0.36), n // 2, n // 2, skin, shade, 0.25),
                     ellipsoid((0, 3.05, -0.25), (1.55, 1.75, 0.75), m, m, look.shirt, fold, 0.62)]
        if look.style == "long":
            self.body.insert(0, ellipsoid((0, 0.40, -0.42), (0.80, 1.15, 0.34), n, n, look.hair, None, 0.5))
        self.ears = [ellipsoid((s * 0.735 * look.width, 0.10, -0.05), (0.10, 0.20, 0.12), n // 4, n // 4, skin)
                     for s in (-1, 1)] if look.style != "long" else []
        self.points = heads.landmarks(look)
        self.normal = [normals(p) for p, _, _ in (self.head, *self.ears)]
        self.body_normal = [normals(p) for p, _, _ in self.body]
        p = self.head[0]
        hair = heads.hair_distance(np.linspace(-2.5, 2.5, p.shape[1])[None], p[..., 1], look)
        self.face = (p[..., 1] > -0.58) & (p[..., 2] > 0.12) & (hair > 0)

    def render(self, height, yaw=0.0, pitch=0.0, roll=0.0, light=Light(), down=3.0, center=(0.0, 0.0)):
        """A head `height` px tall (crown to chin). `center` is the sub-pixel part of where its middle goes.

        -> premultiplied linear RGB + alpha [H, W, 4], origin (where the head's middle is, px), box xywh and points [5, 2]
        relative to the head's middle.
        """
        scale, o = height / 2.0, OVERSAMPLE
        left, top, right, bottom = (np.array([1.75, 1.35, 1.75, down]) * scale + 3).astype(int)
        width, tall = (left + right) * o, (top + bottom) * o
        canvas = np.zeros((tall, width, 4), np.float32)
        turn, lean = rotation(yaw, pitch, roll), rotation(yaw * 0.35, 0, roll * 0.2)
        step = lambda mesh: max(1, int(mesh[0].shape[0] / (height * o * 1.05 + 40)))
        offset = np.float32([left + center[0], top + center[1]])
        layers = [(m, n, lean) for m, n in zip(self.body, self.body_normal)]
        layers += [(m, n, turn) for m, n in zip((*self.ears, self.head), (*self.normal[1:], self.normal[0]))]
        for (pos, col, gloss), n, r in layers:
            k = step((pos,))
            splat(canvas, pos[::k, ::k] @ r.T, n[::k, ::k] @ r.T, col[::k, ::k], gloss[::k, ::k], light, scale * o, offset * o)
        small = cv2.resize(canvas, (left + right, top + bottom), interpolation=cv2.INTER_AREA)
        f = self.head[0][self.face][::7] @ turn.T * scale
        lo, hi = f[:, :2].min(0), f[:, :2].max(0)
        points = (self.points @ turn.T)[:, :2] * scale
        return small, (left, top), np.r_[lo, hi - lo], points


def splat(canvas, pos, normal, color, gloss, light, scale, offset):
    """Painter's order by depth, one pixel per sample; small holes are closed from their neighbours."""
    facing = normal[..., 2] > -0.05
    p, n, c, g = pos[facing], normal[facing], color[facing], gloss[facing]
    key = np.float32(light.key) / np.linalg.norm(light.key)
    wrap = np.clip((n @ key + 0.25) / 1.25, 0, 1) ** 1.2
    sky = (0.5 - 0.5 * n[:, 1])[:, None]
    shade = wrap[:, None] * light.strength + np.float32(light.sky) * sky + np.float32(light.ground) * (1 - sky)
    half = key + np.float32([0, 0, 1])
    spec = np.clip(n @ (half / np.linalg.norm(half)), 0, 1) ** 24 * g * light.strength
    rgb = c * shade * (0.55 + 0.45 * np.clip(n[:, 2:3], 0, 1)) + spec[:, None]
    xy = np.floor(p[:, :2] * scale + offset).astype(np.int32)
    ok = (xy[:, 0] >= 0) & (xy[:, 0] < canvas.shape[1]) & (xy[:, 1] >= 0) & (xy[:, 1] < canvas.shape[0])
    xy, rgb, z = xy[ok], rgb[ok], p[ok, 2]
    order = np.argsort(z, kind="stable")
    layer = np.zeros_like(canvas)
    layer[xy[order, 1], xy[order, 0]] = np.c_[rgb[order], np.ones(len(order), np.float32)]
    hole = (cv2.morphologyEx(layer[..., 3], cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0) & (layer[..., 3] == 0)
    if hole.any():
        sums = cv2.blur(layer, (5, 5))
        layer[hole] = sums[hole] / np.maximum(sums[hole][:, 3:], 1e-6)
    np.copyto(canvas, layer, where=layer[..., 3:] > 0)
