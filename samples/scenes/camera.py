# SPDX-License-Identifier: Apache-2.0
"""Draws a room through a pinhole camera and finds which of its straight edges the picture shows."""
import cv2
import numpy as np

OVERSAMPLE = 2
MIN_LENGTH = 0.09  # of the frame, x and y each as a fraction of its side
MIN_CONTRAST = 10.0  # levels of luma across the edge


class Camera:
    def __init__(self, width, height, position=(0, 0, 0), yaw=0.0, pitch=0.0, view=1.22):
        """view: horizontal angle of view in radians for a 16:9 frame; the height is what counts."""
        self.width, self.height = width, height
        self.focal = (height * 16 / 9) / 2 / np.tan(view / 2)
        c, s, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        self.R = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        self.position = np.asarray(position, float)

    def view(self, p):
        return (np.asarray(p) - self.position) @ self.R.T

    def project(self, p):
        """World points -> pixels (x, y) and depth."""
        q = self.view(p)
        z = np.maximum(q[..., 2:], 1e-6)
        return q[..., :2] / z * self.focal + [self.width / 2, self.height / 2], q[..., 2]


def encode(light):
    """Linear light -> sRGB-like 0..255, with a soft shoulder so that lamps and windows do not clip hard."""
    x = np.maximum(light, 0)
    x = np.where(x > 0.75, 0.75 + 0.25 * (1 - np.exp(-(x - 0.75) / 0.25)), x)
    return (x ** (1 / 2.2) * 255).astype(np.float32)


def visible_panels(room, camera):
    """Back to front: walls and what hangs on them, then furniture from far to near."""
    boxes = sorted(room.boxes, key=lambda b: -camera.view(b[3].at(0.5, 0.5))[2])
    for p in room.panels + [p for b in boxes for p in b]:
        if np.dot(p.normal, camera.position - p.corner) < 0:  # normals point away from the viewer's side
            yield p


def draw(room, camera):
    """-> picture [H, W, 3] float 0..255 sRGB, depth [H, W]"""
    o = OVERSAMPLE
    w, h = camera.width, camera.height
    canvas, depth = np.zeros((h * o, w * o, 3), np.uint8), np.full((h, w), np.inf, np.float32)
    ys, xs = np.mgrid[:h, :w].astype(np.float32)
    rays = np.stack([(xs + 0.5 - w / 2) / camera.focal, (ys + 0.5 - h / 2) / camera.focal, np.ones_like(xs)], -1)
    for p in visible_panels(room, camera):
        px, z = camera.project([p.at(0, 0), p.at(1, 0), p.at(1, 1), p.at(0, 1)])
        if z.min() < 0.1:
            continue
        lo = np.clip(np.floor(px.min(0)).astype(int) - 1, 0, [w, h])
        hi = np.clip(np.ceil(px.max(0)).astype(int) + 1, 0, [w, h])
        if (hi <= lo).any():
            continue
        if not hasattr(p, "picture"):
            p.picture = (encode(p.texture) + 0.5).astype(np.uint8)
        th, tw = p.picture.shape[:2]
        H = cv2.getPerspectiveTransform(np.float32([[-0.5, -0.5], [tw - 0.5, -0.5], [tw - 0.5, th - 0.5], [-0.5, th - 0.5]]),
                                        ((px - lo) * o - 0.5).astype(np.float32))
        region = np.ascontiguousarray(canvas[lo[1] * o : hi[1] * o, lo[0] * o : hi[0] * o])
        cv2.warpPerspective(p.picture, H, region.shape[1::-1], region, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        canvas[lo[1] * o : hi[1] * o, lo[0] * o : hi[0] * o] = region
        inside = np.zeros((h, w), np.uint8)
        cv2.fillPoly(inside, [np.round(px * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        n = camera.R @ p.normal
        d = float(n @ camera.view(p.corner))
        part = (slice(lo[1], hi[1]), slice(lo[0], hi[0]))
        away = d / np.where(np.abs(rays[part] @ n) < 1e-6, 1e-6, rays[part] @ n)
        np.copyto(depth[part], away.astype(np.float32), where=inside[part] > 0)
    return cv2.resize(canvas, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32), depth


def lines(room, camera, picture, depth):
    """The visible straight edges [[x0, y0, x1, y1], ...]: long enough, not hidden, with contrast in the picture."""
    w, h = camera.width, camera.height
    farthest = cv2.dilate(depth, np.ones((5, 5)))
    luma = cv2.GaussianBlur(picture @ np.float32([0.299, 0.587, 0.114]), (0, 0), 0.8)
    found = []
    for p in visible_panels(room, camera):
        for a, b in p.edges:
            ends, z = camera.project([p.at(*a), p.at(*b)])
            if z.min() > 0.1:
                found += _runs(ends, z, farthest, luma, w, h)
    return _distinct(found, w, h)


def _runs(ends, z, farthest, luma, w, h):
    count = int(np.hypot(*(ends[1] - ends[0]))) + 1
    if count < 16:
        return []
    t = np.linspace(0, 1, count)[:, None]
    p = ends[0] + (ends[1] - ends[0]) * t
    away = 1 / (1 / z[0] + (1 / z[1] - 1 / z[0]) * t[:, 0])
    normal = np.array([-(ends[1] - ends[0])[1], (ends[1] - ends[0])[0]]) / count
    pick = lambda img, q: img[np.clip(np.round(q[:, 1] - 0.5).astype(int), 0, h - 1), np.clip(np.round(q[:, 0] - 0.5).astype(int), 0, w - 1)]
    inside = (p[:, 0] >= 0) & (p[:, 1] >= 0) & (p[:, 0] < w) & (p[:, 1] < h)
    contrast = np.max([np.abs(pick(luma, p + normal * k) - pick(luma, p - normal * k)) for k in (2.0, 4.0)], axis=0)
    contrast = np.convolve(contrast, np.ones(15) / 15, "same")
    ok = inside & (away <= pick(farthest, p) * 1.01) & (contrast >= MIN_CONTRAST)
    ok = cv2.morphologyEx(ok.astype(np.uint8)[None], cv2.MORPH_CLOSE, np.ones((1, 13), np.uint8))[0] & inside
    change = np.flatnonzero(np.diff(np.r_[0, ok.view(np.int8), 0]))
    return [np.r_[p[s], p[e]] for s, e in zip(change[::2], change[1::2] - 1)
            if np.hypot(*((p[e] - p[s]) / [w, h])) >= MIN_LENGTH]


def _distinct(found, w, h, gap=0.013):
    """Edges shared by two faces, and the two sides of a narrow board or frame, count once: the longest stays."""
    kept = []
    for line in sorted(found, key=lambda l: -np.hypot(*((l[2:] - l[:2]) / [w, h]))):
        if all(not _covers(k, line, gap, w, h) for k in kept):
            kept.append(line)
    return np.array(kept).reshape(-1, 4)


def _covers(long, short, gap, w, h):
    s = np.array([w, h] * 2)
    a, b = long / s, short / s
    d = a[2:] - a[:2]
    n = np.hypot(*d)
    off = [abs(d[0] * (q[1] - a[1]) - d[1] * (q[0] - a[0])) / n for q in (b[:2], b[2:])]
    along = [((q - a[:2]) @ d) / n for q in (b[:2], b[2:])]
    return max(off) < gap and min(along) > -gap and max(along) < n + gap
