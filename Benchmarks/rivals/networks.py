# SPDX-License-Identifier: Apache-2.0
"""M-LSD and RetinaFace for the rival pipeline: input, decoding and drawing, on BGR arrays or on planar YUV."""
import cv2
import numpy as np

# for planar frames Y, U, V; for BGR frames B, G, R
ORANGE, GREEN, MAGENTA = ((145, 54, 200), (0, 120, 255)), ((170, 70, 60), (0, 255, 0)), ((120, 190, 200), (255, 0, 255))


SHIFT = 3  # fractional bits of coordinates for OpenCV's drawing


def planes(picture):
    """Stacked I420 [3h/2, w] -> the Y, U and V views."""
    h, w = picture.shape[0] * 2 // 3, picture.shape[1]
    flat = picture.reshape(-1)
    c = (h // 2) * (w // 2)
    return flat[: h * w].reshape(h, w), flat[h * w : h * w + c].reshape(h // 2, w // 2), flat[h * w + c :].reshape(h // 2, w // 2)


class Planar:
    """Frames are stacked I420; the colour conversion happens at the network's size."""

    LAYOUT = "yuv420p"

    @staticmethod
    def extent(shape):
        return shape[0] * 2 // 3, shape[1]

    def shrink(self, picture, target):
        """Resizes and converts a picture into `target` [h, w, 3], whose sides are even."""
        h, w = target.shape[:2]
        if self.small is None:
            self.small = np.empty((h * 3 // 2, w), np.uint8)
        for source, part in zip(planes(picture), planes(self.small)):
            cv2.resize(source, part.shape[::-1], dst=part, interpolation=self.INTERPOLATION)
        cv2.cvtColor(self.small, cv2.COLOR_YUV2RGB_I420 if self.RGB else cv2.COLOR_YUV2BGR_I420, dst=target)

    def surfaces(self, picture, color):
        y, u, v = planes(picture)
        for plane, value, scale, thick in ((y, color[0][0], 1.0, 2), (u, color[0][1], 0.5, 1), (v, color[0][2], 0.5, 1)):
            yield plane, value, scale * (1 << SHIFT), thick


class Packed:
    """Frames are BGR arrays."""

    LAYOUT = "bgr24"

    @staticmethod
    def extent(shape):
        return shape[:2]

    def shrink(self, picture, target):
        if self.RGB:
            if self.small is None:
                self.small = np.empty(target.shape, np.uint8)
            cv2.resize(picture, target.shape[1::-1], dst=self.small, interpolation=self.INTERPOLATION)
            cv2.cvtColor(self.small, cv2.COLOR_BGR2RGB, dst=target)
        else:
            cv2.resize(picture, target.shape[1::-1], dst=target, interpolation=self.INTERPOLATION)

    def surfaces(self, picture, color):
        yield picture, color[1], 1 << SHIFT, 2


class Network:
    def __init__(self, threshold):
        self.threshold = self.THRESHOLD if threshold is None else threshold
        self.small = None


class MLSD(Network):
    RGB = True
    MEAN, SCALE, THRESHOLD, INTERPOLATION = [127.5] * 3, [127.5] * 3, 0.1, cv2.INTER_AREA
    size = (512, 512)
    EMPTY = (np.zeros((0, 4), np.float32),)

    def bind(self, compiled):
        names = {n: i for i, o in enumerate(compiled.outputs) for n in o.get_names()}
        self.full = "centre" not in names  # one output of 16 logits, or scores and displacements on their own
        self.index = (0, 0) if self.full else (names["centre"], names["displacement"])
        self.level = float(np.log(self.threshold / (1 - self.threshold))) if self.full else self.threshold
        self.kernel = np.ones((3, 3), np.uint8)

    def prepare(self, picture, tensor):
        self.shrink(picture, tensor[0])

    def decode(self, request, shape):
        maps = [request.get_output_tensor(i).data[0] for i in self.index]
        centre, move = (maps[0][7], maps[1][8:12]) if self.full else (maps[0][0], maps[1])
        at = np.flatnonzero((centre > self.level) & (centre == cv2.dilate(centre, self.kernel)))
        score = centre.ravel()[at]
        if len(at) > 200:
            keep = np.argsort(-score, kind="stable")[:200]
            at, score = at[keep], score[keep]
        y, x = np.divmod(at, centre.shape[1])
        d = move[:, y, x]
        keep = np.hypot(d[0] - d[2], d[1] - d[3]) > 20 * self.size[0] / 512
        ends = np.stack([x + d[0], y + d[1], x + d[2], y + d[3]], 1)[keep]
        h, w = self.extent(shape)
        return (ends * np.float32([2 * w / self.size[1], 2 * h / self.size[0]] * 2),)

    def draw(self, picture, result):
        for plane, value, scale, thick in self.surfaces(picture, ORANGE):
            for x0, y0, x1, y1 in np.rint(result[0] * scale).astype(int).tolist():
                cv2.line(plane, (x0, y0), (x1, y1), value, thick, cv2.LINE_AA, SHIFT)


class RetinaFace(Network):
    RGB = False
    MEAN, SCALE, THRESHOLD, INTERPOLATION = [104.0, 117.0, 123.0], [1.0] * 3, 0.6, cv2.INTER_LINEAR
    size = (480, 640)
    EMPTY = (np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32))

    def bind(self, compiled):
        by_width = {o.get_partial_shape()[2].get_length(): i for i, o in enumerate(compiled.outputs)}
        self.index = by_width[2], by_width[4], by_width[10]
        self.priors, self.framed = self.anchors(), set()

    def anchors(self):
        out = []
        for step, sides in ((8, (10, 20)), (16, (32, 64)), (32, (128, 256))):
            y, x = np.mgrid[: -(-self.size[0] // step), : -(-self.size[1] // step)]
            center = np.repeat(np.stack([x + 0.5, y + 0.5], -1).reshape(-1, 2) * step, 2, 0)
            side = np.tile(sides, len(center) // 2)
            out.append(np.c_[center, side, side])
        return np.concatenate(out).astype(np.float32)

    def place(self, shape):
        h, w = self.extent(shape)
        scale = min(self.size[1] / w, self.size[0] / h)
        height, width = int(h * scale) & ~1, int(w * scale) & ~1
        return scale, height, width, (self.size[0] - height) // 2, (self.size[1] - width) // 2

    def prepare(self, picture, tensor):
        _, height, width, top, left = self.place(picture.shape)
        target = tensor[0]
        if tensor.ctypes.data not in self.framed:  # the borders are written once per request
            target[:] = np.uint8(self.MEAN)
            self.framed.add(tensor.ctypes.data)
        part = target[top : top + height, left : left + width]
        if part.flags.c_contiguous:
            self.shrink(picture, part)
        else:  # bars at the sides
            narrow = np.empty(part.shape, np.uint8)
            self.shrink(picture, narrow)
            part[:] = narrow

    def decode(self, request, shape):
        conf, loc, points = (request.get_output_tensor(i).data[0] for i in self.index)
        at = np.flatnonzero(conf[:, 1] > self.threshold)
        if not len(at):
            return self.EMPTY
        at = at[np.argsort(-conf[at, 1], kind="stable")]
        p, l = self.priors[at], loc[at]
        center, side = p[:, :2] + l[:, :2] * 0.1 * p[:, 2:], p[:, 2:] * np.exp(0.2 * l[:, 2:])
        boxes = np.concatenate([center - side / 2, center + side / 2], 1)
        marks = p[:, None, :2] + points[at].reshape(-1, 5, 2) * 0.1 * p[:, None, 2:]
        keep = suppress(boxes)
        scale, _, _, top, left = self.place(shape)
        return (boxes[keep] - [left, top, left, top]) / scale, (marks[keep] - [left, top]) / scale

    def draw(self, picture, result):
        boxes, marks = result
        for plane, value, scale, thick in self.surfaces(picture, GREEN):
            for x0, y0, x1, y1 in np.rint(boxes * scale).astype(int).tolist():
                cv2.rectangle(plane, (x0, y0), (x1, y1), value, thick, cv2.LINE_AA, SHIFT)
        for plane, value, scale, thick in self.surfaces(picture, MAGENTA):
            for x, y in np.rint(marks.reshape(-1, 2) * scale).astype(int).tolist():
                cv2.circle(plane, (x, y), 3 * thick << (SHIFT - 1), value, -1, cv2.LINE_AA, SHIFT)


def suppress(boxes, limit=0.4):
    """Greedy non-maximum suppression of boxes sorted by score, areas with the +1 pixel convention."""
    area = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    order, keep = np.arange(len(boxes)), []
    while len(order):
        i, rest = order[0], order[1:]
        keep.append(i)
        side = np.minimum(boxes[i, 2:], boxes[rest, 2:]) - np.maximum(boxes[i, :2], boxes[rest, :2]) + 1
        shared = np.clip(side, 0, None).prod(1)
        order = rest[shared / (area[i] + area[rest] - shared) <= limit]
    return keep


class PlanarMLSD(Planar, MLSD): ...


class PackedMLSD(Packed, MLSD): ...


class PlanarRetinaFace(Planar, RetinaFace): ...


class PackedRetinaFace(Packed, RetinaFace): ...


NETWORKS = {("mlsd", "yuv"): PlanarMLSD, ("mlsd", "bgr"): PackedMLSD,
            ("retinaface", "yuv"): PlanarRetinaFace, ("retinaface", "bgr"): PackedRetinaFace}
