# SPDX-License-Identifier: Apache-2.0
"""A furnished room made of textured rectangles with baked light, and the straight edges it holds.

World units are metres: x right, y down with eye level at 0, z into the picture.
"""
from dataclasses import dataclass, field

import cv2
import numpy as np

from .heads import linear, noise, smooth

LEFT, RIGHT, CEILING, FLOOR, NEAR, BACK = -3.0, 3.0, -1.25, 1.45, 1.2, 7.4
LAMP = np.float32([0.2, -1.15, 4.4])
WINDOW = np.float32([[2.9, -0.35, z] for z in (4.2, 4.9, 5.6)])


@dataclass
class Panel:
    """A rectangle: corner, its two sides, a linear-light texture, and the edges that count as lines (pairs of corners)."""

    corner: np.ndarray
    u: np.ndarray
    v: np.ndarray
    texture: np.ndarray
    edges: list = field(default_factory=list)  # ((u, v), (u, v)) in 0..1

    @property
    def normal(self):
        n = np.cross(self.u, self.v)
        return n / np.linalg.norm(n)

    def at(self, u, v):
        return self.corner + self.u * u + self.v * v


OUTLINE = [((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 0))]


def bake(corner, u, v, texture, glow=0.0, contact=()):
    """Multiplies a texture with the light that reaches it: the lamp, the window, corners that stay darker."""
    h, w = texture.shape[:2]
    a, b = np.meshgrid((np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h)
    p = corner + a[..., None] * u + b[..., None] * v
    n = np.cross(u, v)
    n = n / np.linalg.norm(n)
    light = np.full(p.shape[:2], 0.34 + glow)
    for source, power in ((LAMP, 3.0), *((q, 0.75) for q in WINDOW)):
        d = source - p
        r = np.linalg.norm(d, axis=-1)
        light += power * np.abs((d * n).sum(-1)) / r / (1.0 + r * r)
    for axis, wall in ((0, LEFT), (0, RIGHT), (1, CEILING), (1, FLOOR), (2, BACK)):
        gap = np.abs(p[..., axis] - wall)
        if abs(n[axis]) < 0.5:
            light *= 1 - 0.30 * np.exp(-gap / 0.30)
    for x0, z0, x1, z1 in contact:  # furniture standing on the floor
        dx = np.maximum(np.maximum(x0 - p[..., 0], p[..., 0] - x1), 0)
        dz = np.maximum(np.maximum(z0 - p[..., 2], p[..., 2] - z1), 0)
        light *= 1 - 0.55 * np.exp(-np.hypot(dx, dz) / 0.16)
    return (texture * light[..., None]).astype(np.float32)


class Room:
    def __init__(self, seed=7):
        self.rng = np.random.default_rng(seed)
        self.panels, self.boxes = [], []
        rug, table, shelf, chest = (-1.35, 4.3, 1.25, 6.2), (1.05, 4.9, 2.35, 5.7), (-2.2, 7.02, -0.95, 7.4), (0.1, 6.9, 1.35, 7.4)
        size_z = BACK - NEAR
        self.add((LEFT, FLOOR, BACK), (RIGHT - LEFT, 0, 0), (0, 0, -size_z), self.planks(), [], 170, contact=(shelf, chest, table))
        self.add((LEFT, CEILING, NEAR), (RIGHT - LEFT, 0, 0), (0, 0, size_z), (236, 234, 228), [], 60)
        self.add((LEFT, CEILING, NEAR), (0, 0, size_z), (0, FLOOR - CEILING, 0), (150, 172, 178), [OUTLINE[0], OUTLINE[2]], 150)
        self.add((RIGHT, CEILING, BACK), (0, 0, -size_z), (0, FLOOR - CEILING, 0), (206, 196, 176), [OUTLINE[0], OUTLINE[2]], 150)
        self.add((LEFT, CEILING, BACK), (RIGHT - LEFT, 0, 0), (0, FLOOR - CEILING, 0), (214, 208, 190), OUTLINE, 220)
        e = 0.004
        self.add((-0.75, CEILING + e, 3.9), (1.9, 0, 0), (0, 0, 1.0), (255, 252, 240), OUTLINE, 80, glow=1.2)
        self.add((rug[0], FLOOR - e, rug[3]), (rug[2] - rug[0], 0, 0), (0, 0, rug[1] - rug[3]), self.rug(), OUTLINE, 160)
        self.add((LEFT + e, -0.72, 4.6), (0, 0, 1.05), (0, FLOOR + 0.72, 0), self.door(), OUTLINE, 200)
        self.add((RIGHT - e, -0.85, 5.95), (0, 0, -1.75), (0, 1.35, 0), self.window(), self.window_edges(), 200, glow=0.75)
        self.add((LEFT + e, -0.62, 6.1), (0, 0, 0.75), (0, 0.62, 0), self.painting(3), OUTLINE, 260, glow=0.1)
        self.add((-0.45, -0.80, BACK - e), (1.25, 0, 0), (0, 0.82, 0), self.painting(1), OUTLINE, 260, glow=0.1)
        self.add((1.75, -0.75, BACK - e), (0.95, 0, 0), (0, FLOOR + 0.75, 0), self.door((92, 60, 44)), OUTLINE, 220)
        self.shelf(*shelf)
        self.box(chest[0], 0.72, chest[1], chest[2], FLOOR, chest[3], (176, 122, 76), self.drawers((168, 112, 68)))
        x0, z0, x1, z1 = table
        for x in (x0 + 0.04, x1 - 0.12):
            for z in (z1 - 0.12, z0 + 0.04):
                self.box(x, 0.70, z, x + 0.08, FLOOR, z + 0.08, (70, 52, 42))
        self.box(x0, 0.63, z0, x1, 0.70, z1, (198, 158, 108), top=self.wood((206, 168, 118), 3))
        self.box(1.35, 0.55, 5.15, 1.75, 0.625, 5.45, (170, 52, 48))
        self.box(1.38, 0.49, 5.17, 1.72, 0.548, 5.43, (44, 84, 130))

    # textures ------------------------------------------------------------------------------------------------------
    def wood(self, color, boards=1, shape=(256, 512)):
        grain = noise(self.rng, shape, (24, 3), 3) * 0.10 + noise(self.rng, shape, (60, 4), 2) * 0.05
        tone = np.repeat(self.rng.uniform(-0.05, 0.05, boards), -(-shape[0] // boards))[: shape[0], None]
        return linear(color) * (1 + grain + tone)[..., None]

    def planks(self):
        return np.ascontiguousarray(self.wood((150, 112, 78), 28, (1008, 1024)).transpose(1, 0, 2))

    def rug(self):
        t = np.broadcast_to(linear((122, 44, 48)), (300, 420, 3)).copy()
        t[18:-18, 18:-18] = linear((206, 186, 150))
        t[30:-30, 30:-30] = linear((128, 48, 52))
        return t * (1 + 0.12 * self.rng.uniform(-1, 1, t.shape[:2]))[..., None]

    def door(self, color=(104, 66, 42)):
        t = np.ascontiguousarray(self.wood(color, 1, (430, 210)))
        for y0, y1 in ((35, 190), (230, 395)):
            for g, k in ((0, 0.72), (4, 1.12), (8, 0.94)):
                t[y0 + g : y1 - g, 30 + g : 180 - g] *= k
        cv2.circle(t, (190, 225), 6, (0.7, 0.6, 0.35), -1, cv2.LINE_AA)
        return t

    def window(self):
        h, w = 270, 350
        y = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        t = linear((120, 170, 226)) * (1 - y) + linear((226, 236, 244)) * y + np.zeros((h, w, 3), np.float32)
        cloud = smooth(0.05, 0.5, noise(self.rng, (h, w), (3, 4), 4))[..., None]
        t = t * (1 - cloud * 0.7) + 0.9 * cloud * 0.7
        hill = h * (0.74 + 0.05 * np.sin(np.arange(w) / 37.0) + 0.02 * np.sin(np.arange(w) / 11.0))
        t = np.where(np.arange(h)[:, None, None] > hill[None, :, None], linear((104, 140, 84)), t).astype(np.float32)
        frame = linear((70, 62, 58))
        t[:14], t[-14:], t[:, :14], t[:, -14:] = frame, frame, frame, frame
        t[:, w // 2 - 6 : w // 2 + 6] = frame
        return t

    def window_edges(self):
        return OUTLINE + [((0.5, 0.05), (0.5, 0.95))]

    def painting(self, kind):
        h, w = 200, 300
        y, x = np.mgrid[:h, :w].astype(np.float32)
        n = noise(np.random.default_rng(kind), (h, w), (2, 3), 5)[..., None]
        sky = linear((236, 176, 120)) * (y / h)[..., None] + linear((92, 120, 170)) * (1 - y / h)[..., None]
        sea = linear((40, 84, 112)) * (1.25 - 0.5 * (y / h))[..., None]
        t = np.where((y > h * (0.60 + 0.10 * np.sin(x / 60 + kind)))[..., None], sea, sky) * (1 + 0.35 * n)
        sun = np.exp(-(((x - w * 0.68) ** 2 + (y - h * 0.38) ** 2) / (2 * 17.0**2)))[..., None]
        t = t * (1 - sun) + linear((255, 226, 170)) * sun
        b = linear((46, 36, 30))
        t[:11], t[-11:], t[:, :11], t[:, -11:] = b, b, b, b
        return t.astype(np.float32)

    def drawers(self, color):
        t = np.ascontiguousarray(self.wood(color, 1, (180, 300)))
        for y in (60, 120):
            t[y - 1 : y + 2] *= 0.35
        for y in (30, 90, 150):
            for x in (75, 225):
                cv2.circle(t, (x, y), 5, (0.05, 0.04, 0.03), -1, cv2.LINE_AA)
        return t

    def books(self):
        t = np.broadcast_to(linear((54, 40, 32)), (110, 360, 3)).copy()
        x = 4
        while x < 350:
            w, h = int(self.rng.integers(9, 22)), int(self.rng.integers(66, 98))
            c = linear(self.rng.choice([(150, 52, 46), (46, 82, 120), (62, 104, 76), (196, 160, 92), (120, 80, 120), (206, 200, 186)]))
            t[110 - h :, x : x + w] = c * self.rng.uniform(0.6, 1.1)
            t[110 - h + 12 : 110 - h + 16, x : x + w] *= 1.5
            t[110 - h :, x + w - 2 : x + w] *= 0.5
            x += w + (int(self.rng.integers(10, 40)) if self.rng.random() < 0.12 else 0)
        return t

    # solids --------------------------------------------------------------------------------------------------------
    def add(self, corner, u, v, paint, edges, density, glow=0.0, contact=(), into=None):
        corner, u, v = (np.asarray(k, np.float64) for k in (corner, u, v))
        w, h = (max(8, int(np.linalg.norm(k) * density)) for k in (u, v))
        if isinstance(paint, tuple):
            texture = linear(paint) * (1 + 0.025 * noise(self.rng, (h, w), (max(2, h // 60), max(2, w // 60)), 3))[..., None]
        else:
            texture = cv2.resize(paint.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
        panel = Panel(corner, u, v, bake(corner, u, v, texture, glow, contact), list(edges))
        (self.panels if into is None else into).append(panel)

    def box(self, x0, y0, z0, x1, y1, z1, color, front=None, top=None, density=240):
        """Front, top and both sides; what faces away is skipped when drawn."""
        faces = []
        dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
        side = tuple(c * 0.86 for c in color)
        self.add((x0, y0, z1), (dx, 0, 0), (0, 0, -dz), top if top is not None else color, OUTLINE, density, into=faces)
        self.add((x0, y0, z1), (0, 0, -dz), (0, dy, 0), side, OUTLINE, density, into=faces)
        self.add((x1, y0, z0), (0, 0, dz), (0, dy, 0), side, OUTLINE, density, into=faces)
        self.add((x0, y0, z0), (dx, 0, 0), (0, dy, 0), front if front is not None else color, OUTLINE, density, into=faces)
        self.boxes.append(faces)

    def shelf(self, x0, z0, x1, z1):
        top, rows, board = -0.78, 5, 0.045
        self.box(x0, top, z0, x1, FLOOR, z1, (112, 76, 50))
        pitch = (FLOOR - top - board) / rows
        e = 0.003
        for i in range(rows):
            y = top + board + i * pitch
            self.add((x0 + board, y, z0 - e), (x1 - x0 - 2 * board, 0, 0), (0, pitch - board, 0), self.books() * 0.8,
                     [OUTLINE[0], OUTLINE[2]], 260, into=self.boxes[-1])
