# SPDX-License-Identifier: Apache-2.0
"""Rendered scenes with exact line segments: rooms, boxes, flat polygons. What is hidden is not labelled."""
import cv2
import numpy as np


def scene(rng, size):
    """An image of `size` squared and its visible segments [n, 4] in pixels."""
    canvas = _Canvas(rng, size)
    kind = rng.choice(["room", "boxes", "flat"], p=[0.5, 0.3, 0.2])
    if kind == "flat":
        _polygons(canvas, rng, size)
    else:
        _interior(canvas, rng, size, kind)
    image, segments = canvas.finish()
    if rng.random() < 0.7:  # low-frequency texture
        k = int(rng.integers(4, 40))
        texture = cv2.resize(rng.normal(0, 1, (k, k)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        image = image * (1 + 0.15 * texture[..., None])
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0))
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(1, 8))
    return np.clip(image, 0, 255).astype(np.uint8), segments


class _Canvas:
    """Painter's algorithm with a map of which face is on top, so that hidden parts of edges are known."""

    OVERSAMPLING = 2

    def __init__(self, rng, size):
        self.rng, self.size, self.count, self.edges = rng, size, 0, []
        side = size * self.OVERSAMPLING
        corners = rng.uniform(0, 255, (2, 2, 3)) * 0.3 + rng.uniform(0, 255, 3) * 0.7
        self.image = cv2.resize(corners.astype(np.float32), (side, side))
        self.order = np.zeros((side, side), np.int32)
        self.ramp = np.linspace(-1, 1, side, dtype=np.float32)

    def polygon(self, points, color, border=None):
        """`points` [n, 2] in pixels, seen in front of everything drawn before."""
        if len(points) < 3:
            return
        self.count += 1
        fixed = np.round(np.clip(points, -1e4, 1e4) * self.OVERSAMPLING * 8).astype(np.int32)
        inside = np.zeros(self.order.shape, np.uint8)
        cv2.fillPoly(inside, [fixed], 1, shift=3)
        x, y, w, h = cv2.boundingRect(inside)
        if not w:
            return
        box = np.s_[y:y + h, x:x + w]
        inside = inside[box].astype(bool)
        a, b = self.rng.uniform(-0.2, 0.2, 2).astype(np.float32)
        shade = 1 + a * self.ramp[None, x:x + w] + b * self.ramp[y:y + h, None]
        self.image[box][inside] = (np.float32(color) * shade[..., None])[inside]
        self.order[box][inside] = self.count
        if border is not None:
            self._stroke([fixed], True, border, 4)
        for i in range(len(points)):
            self.edges.append((points[i], points[(i + 1) % len(points)], self.count))

    def line(self, a, b, color):
        fixed = np.round(np.clip([a, b], -1e4, 1e4) * self.OVERSAMPLING * 8.0).astype(np.int32)
        self._stroke([fixed], False, color, 5)
        self.edges.append((a, b, self.count))

    def _stroke(self, fixed, closed, color, widest):
        width = int(self.rng.integers(1, widest))
        cv2.polylines(self.image, fixed, closed, [float(c) for c in color], width, cv2.LINE_AA, shift=3)

    def finish(self, shortest=8):
        """The picture, and the runs of each edge that are on top and stand out from what is beside them."""
        image = cv2.resize(self.image, (self.size, self.size), interpolation=cv2.INTER_AREA)
        behind = cv2.erode(self.order.astype(np.float32), np.ones((5, 5)))
        slope = np.hypot(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)).max(-1)
        slope = cv2.dilate(slope, np.ones((3, 3)))
        segments = []
        for a, b, face in self.edges:
            count = max(2, int(np.hypot(*(b - a))))
            if count > 20000:
                continue
            points = a + (b - a) * np.linspace(0, 1, count + 1)[:, None]
            x, y = np.round(points * self.OVERSAMPLING).astype(int).T
            limit = self.size * self.OVERSAMPLING
            shown = (x >= 0) & (y >= 0) & (x < limit) & (y < limit)
            x, y = np.clip(x, 0, limit - 1), np.clip(y, 0, limit - 1)
            shown &= (behind[y, x] <= face) & (slope[y // self.OVERSAMPLING, x // self.OVERSAMPLING] > 25)
            shown = cv2.morphologyEx(shown.astype(np.uint8)[None], cv2.MORPH_CLOSE, np.ones((1, 7)))[0]
            turns = np.flatnonzero(np.diff(np.concatenate([[0], shown.astype(np.int8), [0]])))
            for first, last in zip(turns[::2], turns[1::2] - 1):
                if last - first >= shortest:
                    segments.append(np.concatenate([points[first], points[last]]))
        return image, _distinct(np.array(segments, np.float32).reshape(-1, 4))


def _distinct(segments, tolerance=3.0):
    """Longest first, without those that repeat one already kept."""
    kept = np.zeros((0, 4), np.float32)
    for segment in segments[np.argsort(-np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1]))]:
        apart = np.minimum(np.abs(kept - segment).max(1), np.abs(kept - segment[[2, 3, 0, 1]]).max(1))
        if not (apart <= tolerance).any():
            kept = np.concatenate([kept, segment[None]])
    return kept


class _Camera:
    def __init__(self, rng, size):
        yaw, pitch, roll = rng.uniform(-0.8, 0.8), rng.normal(0, 0.15), rng.normal(0, 0.05)
        c, s = np.cos, np.sin
        y = np.array([[c(yaw), 0, s(yaw)], [0, 1, 0], [-s(yaw), 0, c(yaw)]])
        x = np.array([[1, 0, 0], [0, c(pitch), -s(pitch)], [0, s(pitch), c(pitch)]])
        z = np.array([[c(roll), -s(roll), 0], [s(roll), c(roll), 0], [0, 0, 1]])
        self.rotation, self.focal, self.centre = z @ x @ y, size * rng.uniform(0.55, 1.2), size / 2

    def project(self, points, near=0.05):
        """A polygon [n, 3] of the world, cut where it comes too near, as [m, 2] pixels."""
        points = points @ self.rotation.T
        cut = []
        for a, b in zip(points, np.roll(points, -1, 0)):
            if a[2] > near:
                cut.append(a)
            if (a[2] > near) != (b[2] > near):
                cut.append(a + (b - a) * (near - a[2]) / (b[2] - a[2]))
        cut = np.array(cut).reshape(-1, 3)
        return cut[:, :2] / np.maximum(cut[:, 2:], 1e-6) * self.focal + self.centre


def _cuboid(low, high):
    """Six faces: far, near, left, right, bottom, top."""
    (a, b, c), (d, e, f) = low, high
    return [np.array(face, float) for face in (
        [[a, b, f], [d, b, f], [d, e, f], [a, e, f]], [[a, b, c], [d, b, c], [d, e, c], [a, e, c]],
        [[a, b, c], [a, b, f], [a, e, f], [a, e, c]], [[d, b, c], [d, b, f], [d, e, f], [d, e, c]],
        [[a, b, c], [d, b, c], [d, b, f], [a, b, f]], [[a, e, c], [d, e, c], [d, e, f], [a, e, f]])]


def _patch(face, u0, v0, u1, v1):
    """A rectangle on a face, in coordinates 0 ... 1 along its sides."""
    across, down = face[1] - face[0], face[3] - face[0]
    return np.array([face[0] + across * u + down * v for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))])


def _palette(rng):
    base = rng.uniform(30, 230, 3)
    return lambda: (np.clip(base * rng.uniform(0.35, 1.5) + rng.normal(0, 25, 3), 0, 255) if rng.random() < 0.7
                    else rng.uniform(0, 255, 3))


def _polygons(canvas, rng, size):
    color = _palette(rng)
    for _ in range(rng.integers(3, 12)):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(0.06, 0.4) * size
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 6)))
        if rng.random() < 0.5:
            skew = np.array([0, 1, 0, 1]) * rng.uniform(-0.6, 0.6)
            angles = rng.uniform(0, np.pi) + np.arange(4) * np.pi / 2 + skew
        corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        canvas.polygon(corners, color(), color() if rng.random() < 0.3 else None)
    for _ in range(rng.integers(0, 6)):
        canvas.line(rng.uniform(0, size, 2), rng.uniform(0, size, 2), color())


def _interior(canvas, rng, size, kind):
    camera, color, floor = _Camera(rng, size), _palette(rng), 1.2
    if kind == "room":
        low = np.array([-rng.uniform(0.8, 4), -rng.uniform(0.8, 2), -1.0])
        high = np.array([rng.uniform(0.8, 4), rng.uniform(0.8, 1.6), rng.uniform(2, 8)])
        far, _, left, right, bottom, top = _cuboid(low, high)
        walls = [far, left, right, bottom, top]
    else:
        walls = [np.array([[-9, floor, 1], [9, floor, 1], [9, floor, 20], [-9, floor, 20.0]])]
    for wall in walls:
        canvas.polygon(camera.project(wall), color())
        if rng.random() < 0.65:
            _tiles(canvas, rng, camera, wall, color)
    boxes = []
    for _ in range(rng.integers(0, 6) if kind == "room" else rng.integers(2, 9)):
        x, z, width, height, depth = (rng.uniform(*r) for r in ((-2.5, 2.5), (1.5, 6), (0.2, 1.2), (0.2, 1.6), (0.2, 1)))
        boxes.append(((x - width / 2, floor - height, z), (x + width / 2, floor, z + depth)))
    for low, high in sorted(boxes, key=lambda box: -box[0][2]):
        middle = (np.array(low) + high) / 2
        for face in _cuboid(low, high):
            centre = face.mean(0)
            if np.dot(centre - middle, centre) >= 0:  # turned away from the camera, which is at 0
                continue
            canvas.polygon(camera.project(face), color())
            if rng.random() < 0.3:
                canvas.polygon(camera.project(_patch(face, 0.15, 0.15, 0.85, rng.uniform(0.4, 0.9))), color())


def _tiles(canvas, rng, camera, wall, color):
    """Windows, doors, pictures, tiles."""
    columns, rows = rng.integers(1, 6), rng.integers(1, 4)
    outer, inner, u, v = color(), color(), rng.uniform(0.02, 0.35), rng.uniform(0.02, 0.35)
    for i in range(columns):
        for j in range(rows):
            tile = _patch(wall, (i + u) / columns, (j + v) / rows, (i + 1 - u) / columns, (j + 1 - v) / rows)
            canvas.polygon(camera.project(tile), outer, inner if rng.random() < 0.3 else None)
            if rng.random() < 0.3:
                canvas.polygon(camera.project(_patch(tile, 0.1, 0.1, 0.9, 0.9)), inner)
