# SPDX-License-Identifier: Apache-2.0
"""A town street made of textured rectangles: carriageway, pavements, house fronts, trees, parked cars, sky.

World units are metres as in room.py: x right, y down with eye level at 0, z along the street.
"""
import cv2
import numpy as np

from .heads import linear, noise
from .room import Panel

GROUND, KERB, FRONT, LENGTH, PIECE = 1.4, 3.4, 6.4, 72.0, 3.0


class Street:
    def __init__(self, seed=11):
        self.rng = np.random.default_rng(seed)
        self.panels, self.boxes = [], []
        far = LENGTH + 60
        self.add((-200, -130, far), (400, 0, 0), (0, 130 + GROUND, 0), self.sky())
        self.add((-60, -7, LENGTH + 6), (120, 0, 0), (0, 7 + GROUND, 0), self.leaves((256, 2048)))
        road, slabs = self.asphalt(), self.slabs()
        for z in np.arange(-6, LENGTH, PIECE):  # pieces: what reaches behind the camera is not drawn
            self.add((-KERB, GROUND, z + PIECE), (2 * KERB, 0, 0), (0, 0, -PIECE), road[int(z / PIECE) % 2])
            for side in (-1, 1):
                x0, x1 = sorted((side * KERB, side * FRONT))
                self.add((x0, GROUND - 0.12, z + PIECE), (x1 - x0, 0, 0), (0, 0, -PIECE), slabs)
                kerb = linear((150, 148, 142)) * (1 + 0.1 * noise(self.rng, (8, 96), (2, 12)))[..., None]
                self.wall(side, KERB, z, PIECE, GROUND - 0.12, GROUND, kerb * 0.8)
        for side in (-1, 1):
            z = -6.0
            while z < LENGTH:
                deep = float(self.rng.choice([6.0, 7.5, 9.0]))
                high = -float(self.rng.uniform(5.0, 7.5))
                front = self.house(deep, GROUND - high)
                for part in np.array_split(np.arange(front.shape[1]), round(deep / 1.5)):
                    at = z + deep * part[0] / front.shape[1]
                    self.wall(side, FRONT, at, deep * len(part) / front.shape[1], high, GROUND - 0.12, front[:, part])
                z += deep
        reds, blue, silver, grey, green = (150, 30, 34), (36, 62, 120), (196, 198, 200), (52, 56, 60), (30, 90, 60)
        for side, z, color in ((1, 15, reds), (1, 24, blue), (-1, 31, silver), (1, 38, grey), (-1, 47, green)):
            self.car(side * (KERB - 1.05), z, color)

    def add(self, corner, u, v, texture):
        self.panels.append(Panel(*(np.float32(a) for a in (corner, u, v)), texture.astype(np.float32)))

    def wall(self, side, x, z, deep, top, bottom, texture):
        """An upright rectangle along the street that faces it."""
        if side < 0:
            self.add((-x, top, z), (0, 0, deep), (0, bottom - top, 0), texture)
        else:
            self.add((x, top, z + deep), (0, 0, -deep), (0, bottom - top, 0), np.ascontiguousarray(texture[:, ::-1]))

    # textures ------------------------------------------------------------------------------------------------------
    def sky(self):
        y = np.linspace(0, 1, 256)[:, None, None]
        t = linear((176, 200, 228)) * (1 - y) + linear((244, 246, 246)) * y
        clouds = np.clip(noise(self.rng, (256, 1024), (4, 10), 4) * 1.6, 0, 1)[..., None]
        return t + clouds * (0.95 - t)

    def leaves(self, shape):
        n = noise(self.rng, shape, (12, 96), 5) + 0.5 * self.rng.uniform(-1, 1, shape)
        return linear((70, 84, 44)) * np.clip(1 + 0.9 * n, 0.15, 2.2)[..., None]

    def asphalt(self):
        """Two pieces, with and without the dash of the middle line."""
        t = linear((112, 112, 116)) * (1 + 0.08 * self.rng.uniform(-1, 1, (160, 400)) + 0.10 * noise(self.rng, (160, 400), (2, 6)))[..., None]
        t[:, 22:30] = linear((206, 196, 120))
        t[:, -30:-22] = linear((206, 196, 120))
        dash = t.copy()
        dash[:, 196:204] = linear((226, 226, 222))
        return dash, t

    def slabs(self):
        t = linear((168, 162, 152)) * (1 + 0.07 * noise(self.rng, (160, 160), (8, 8)))[..., None]
        t[::40] *= 0.7
        t[:, ::40] *= 0.7
        return t

    def house(self, deep, high):
        """Brick or render with rows of windows, a door and a shop's sign."""
        s = 48
        h, w = int(high * s), int(deep * s)
        color = [(140, 78, 60), (196, 182, 156), (122, 70, 58), (178, 150, 120)][self.rng.integers(4)]
        t = linear(color) * (1 + 0.12 * noise(self.rng, (h, w), (12, 12)) + 0.05 * self.rng.uniform(-1, 1, (h, w)))[..., None]
        t[::6] *= 0.86
        t[: s // 3] = linear((70, 60, 56))
        for top in np.arange(0.7, high - 3.2, 2.3):
            for left in np.arange(0.6, deep - 1.0, 1.9):
                y, x = int(top * s), int(left * s)
                t[y - 6 : y + int(1.5 * s) + 6, x - 6 : x + s + 6] = linear((226, 222, 212))
                pane = t[y : y + int(1.5 * s), x : x + s]
                pane[:] = linear((52, 60, 70)) * np.linspace(1.8, 0.6, len(pane))[:, None, None]
                pane[len(pane) // 2 - 2 : len(pane) // 2 + 2] = linear((226, 222, 212))
        shop = h - int(2.7 * s)
        t[shop : shop + s // 2] = linear([(40, 70, 60), (120, 30, 40), (40, 44, 80)][self.rng.integers(3)])
        t[shop + s // 2 : -s // 3, s // 2 : -s // 2] = linear((60, 66, 70))
        door = int(self.rng.uniform(1, deep - 2) * s)
        t[shop + s // 2 :, door : door + s] = linear((70, 44, 36))
        return cv2.GaussianBlur(t.astype(np.float32), (0, 0), 1.0)

    # cars ----------------------------------------------------------------------------------------------------------
    def car(self, x, z, color):
        """A parked car from two boxes: body and cabin, wheels and lights as texture."""
        long, wide = 4.1, 1.7
        self.box(x - wide / 2, GROUND - 0.85, z, x + wide / 2, GROUND - 0.12, z + long, *self.body(color, long, wide))
        glass = linear((38, 44, 52))
        cabin = np.ones((64, 128, 3), np.float32) * glass * np.linspace(1.9, 0.7, 64)[:, None, None]
        side = cabin.copy()
        for post in (0, 60, 120):
            side[:, post : post + 8] = linear(color)
        cabin[:, :6], cabin[:, -6:], cabin[:5], side[:5] = (linear(color),) * 4
        roof = np.ones((8, 8, 3), np.float32) * linear(color) * 1.5
        self.box(x - 0.72, GROUND - 1.42, z + 0.45, x + 0.72, GROUND - 0.84, z + 3.0, cabin, side, roof)

    def body(self, color, long, wide):
        back = np.ones((73, int(wide * 100), 3), np.float32) * linear(color) * np.linspace(1.5, 0.6, 73)[:, None, None]
        for a in (6, back.shape[1] - 30):
            back[14:30, a : a + 24] = linear((196, 30, 30))
        middle = back.shape[1] // 2
        back[32:44, middle - 26 : middle + 26] = linear((232, 206, 80))
        back[56:] = linear((26, 26, 28))
        back[50:, 8:34] = back[50:, -34:-8] = linear((14, 14, 15))
        side = np.ones((73, int(long * 100), 3), np.float32) * linear(color) * np.linspace(1.4, 0.6, 73)[:, None, None]
        side[:, 200:203] *= 0.5
        side[60:] = linear((24, 24, 26))
        for a in (80, 330):
            cv2.circle(side, (a, 58), 32, [float(v) for v in linear((16, 16, 17))], -1)
            cv2.circle(side, (a, 58), 16, [float(v) for v in linear((150, 152, 156))], -1)
        return back, side, np.ones((8, 8, 3), np.float32) * linear(color) * 1.4

    def box(self, x0, y0, z0, x1, y1, z1, back, side, top):
        faces = [
            ((x0, y0, z0), (x1 - x0, 0, 0), (0, y1 - y0, 0), back),
            ((x1, y0, z0), (0, 0, z1 - z0), (0, y1 - y0, 0), side),
            ((x0, y0, z1), (0, 0, z0 - z1), (0, y1 - y0, 0), side),
            ((x0, y0, z1), (x1 - x0, 0, 0), (0, 0, z0 - z1), top),
        ]
        self.boxes.append([Panel(*(np.float32(a) for a in f[:3]), f[3].astype(np.float32)) for f in faces])
