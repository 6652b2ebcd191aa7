# SPDX-License-Identifier: Apache-2.0
"""What the two face detectors share: photographs, a teacher's labels for unlabelled ones, evaluation."""
import cv2
import numpy as np
import torch

from .. import anchors as anchor
from .. import vpipe
from ..data import faces
from ..data.face_canvas import FILL, FaceCanvas
from ..data.media import stills
from ..losses import faces as losses
from ..metrics import faces as metrics
from ..trainer import Settings
from .base import Recipe

SIDE = 416  # of the images that are evaluated
SURE, UNSURE = 0.6, 0.1  # scores of the teacher: a label from the first on, ignored between them


class FaceDetector(Recipe):
    settings = Settings(batch=16, learning_rate=3e-3, weight_decay=1e-4, averaging=0.998, clip=30.0)
    understands = ("faces", "taught", "media")
    anchors = mean = None

    def rows(self, outputs):
        """(boxes [N, A, 4], logits [N, A, 2], landmarks [N, A, 10] or None) of the graph's outputs, float32."""
        raise NotImplementedError

    def match(self, boxes, ignored, grid):
        return anchor.match(boxes, ignored, grid)

    def prepare_graphs(self):
        self.graph(self.weights, (SIDE, SIDE))
        if self.options.teacher:
            TeacherLabels(self.options)

    def prepare(self):
        self.guide = self.teacher()
        labelled = [photo for folder in self.options.folders("faces") for photo in faces.load(folder, "train")]
        labelled += [photo for folder in self.options.folders("taught") for photo in faces.load(folder, "all")]
        media = [image for folder in self.options.folders("media") for image in stills(folder)]
        if media and self.guide is None:
            raise SystemExit("media without labels need a teacher: --teacher WEIGHTS")
        detect = TeacherLabels(self.options) if media else None
        others = [detect(image) for image in media]
        if not labelled and not others:
            raise SystemExit(f"{self.network}: no photographs; name some with --data faces:FOLDER")
        print(f"{len(labelled)} labelled photographs, {len(others)} labelled by the teacher", flush=True)
        self.dataset = FaceCanvas((labelled, others), self.size[0], self.anchors, self.match, self.options.seed)

    def prepared(self, rgb):
        """uint8 RGB [N, H, W, 3] as the network takes it: BGR minus the mean."""
        return rgb.permute(0, 3, 1, 2).flip(1).float() - torch.tensor(self.mean, device=rgb.device).view(1, 3, 1, 1)

    @torch.no_grad()
    def detect(self, graph, images, score=0.02):
        """Boxes, scores and landmarks of each image [N, H, W, 3] of the graph's size, suppressed, best first."""
        boxes, logits, landmarks = self.rows(graph(image=self.prepared(images)))
        boxes, scores = boxes.cpu().numpy(), logits.softmax(-1)[..., 1].cpu().numpy()
        grid, finds = self.anchors.boxes(images.shape[2], images.shape[1]), []
        for i, chosen in enumerate(scores > score):
            found, sure, cells = self.anchors.decode(boxes[i, chosen], grid[chosen]), scores[i, chosen], grid[chosen]
            kept = anchor.suppress(found, sure)
            points = None
            if landmarks is not None:
                offsets = landmarks[i].cpu().numpy()[chosen].reshape(-1, 5, 2) * self.anchors.offsets
                points = (cells[:, None, :2] + offsets * cells[:, None, 2:]).reshape(-1, 10)[kept]
            finds.append((found[kept], sure[kept], points))
        return finds

    def evaluate(self, weights):
        """On the photographs held back, stretched to a square as the small WIDER FACE set has them."""
        graph, side, figures = self.graph(weights, (SIDE, SIDE)).eval(), SIDE, {}
        for folder in self.options.folders("faces"):
            pairs = []
            for photo in faces.load(folder, "held"):
                height, width = photo.image.shape[:2]
                image = cv2.resize(photo.image, (side, side), interpolation=cv2.INTER_AREA)
                (boxes, scores, _), = self.detect(graph, torch.from_numpy(image)[None])
                pairs.append((boxes, scores, photo.boxes * np.float32([side / width, side / height] * 2)))
            figures[f"{folder} held back"] = metrics.evaluate(pairs)
        return figures


class RetinaFace(FaceDetector):
    """RetinaFace's multi-task loss with anchor matching and hard-negative mining; distillation of all three outputs."""

    network, variant, outputs = "retinaface", "mobilenet0.25", ["loc", "ClassHead.concat", "landms"]
    anchors, mean = anchor.RETINAFACE, (104.0, 117.0, 123.0)
    body = ("body.stage1.1.5", "body.stage1.3.5", "body.stage1.5.5", "body.stage2.5.5", "body.stage3.1.5")
    neck = ("fpn.merge1.2", "fpn.merge2.2", "fpn.output3.2", "ssh1.relu", "ssh2.relu", "ssh3.relu")

    def __init__(self, options):
        super().__init__(options)
        if self.is_fresh:
            with torch.no_grad():  # a prior of few faces
                for level in range(3):
                    for head in ("BboxHead", "ClassHead", "LandmarkHead"):
                        self.model.get_submodule(f"{head}.{level}.conv1x1").weight.normal_(std=0.01)
                    self.model.get_submodule(f"ClassHead.{level}.conv1x1").bias.copy_(torch.tensor([2.3, -2.3] * 2))

    def prepare(self):
        super().prepare()
        if self.guide is not None:
            self.follow(self.prepared)

    def rows(self, outputs):
        return tuple(outputs[name].float() for name in self.outputs)

    def losses(self, model, batch, progress):
        found, wanted, parts = self.run(model, self.prepared(batch["image"]), progress)
        if found is None:
            return parts
        parts |= losses.multi_task(*self.rows(found), batch)
        if wanted is not None:
            parts |= losses.distilled(*self.rows(found), *self.rows(wanted))
        return parts


class SSH(FaceDetector):
    """SSH's modules with per-module scale assignment and hard-negative mining; a RetinaFace's finds may teach it."""

    network, variant = "ssh", "mobilenet0.25"
    outputs = [f"m{m}.{kind}" for kind in ("box", "score") for m in (1, 2, 3)]
    anchors, mean = anchor.SSH, (102.9801, 115.9465, 122.7717)
    # RetinaFace took its context module from SSH; on the finest level the two are alike.
    counterparts = {"m1.fine": "fpn.output1", "m1.coarse": "fpn.output2", "m1.fuse": "fpn.merge1",
                    "m1.3x3": "ssh1.conv3X3", "m1.dimred": "ssh1.conv5X5_1", "m1.5x5": "ssh1.conv5X5_2",
                    "m1.7x7-1": "ssh1.conv7X7_2", "m1.7x7": "ssh1.conv7x7_3"}

    def __init__(self, options):
        super().__init__(options)
        self.levels = self.anchors.levels(*self.size)
        if self.is_fresh:
            with torch.no_grad():
                for module in (1, 2, 3):
                    score = self.model.get_submodule(f"m{module}").get_submodule("cls_score")
                    score.weight.normal_(std=0.01)
                    score.bias.copy_(torch.tensor([2.3, 2.3, -2.3, -2.3]))
                    self.model.get_submodule(f"m{module}").get_submodule("bbox_pred").weight.normal_(std=0.01)

    def prepare_graphs(self):
        super().prepare_graphs()
        if self.options.teacher:
            Finder(self.options, self.size[0])

    def prepare(self):
        super().prepare()
        self.finder = Finder(self.options, self.size[0]) if self.guide else None

    def match(self, boxes, ignored, grid):
        return anchor.match_per_module(boxes, ignored, grid, self.levels)

    def losses(self, model, batch, progress):
        boxes, logits, _ = self.rows(model(image=self.prepared(batch["image"])))
        parts = losses.multi_task(boxes, logits, None, batch)
        if self.finder is not None:
            parts |= losses.found_by_teacher(boxes, logits, self.found(batch["image"]))
        return parts

    def found(self, images):
        """What the teacher finds in a batch, on this network's own anchors."""
        grid, rows = self.dataset.grid, []
        for boxes, scores, _ in self.finder(images):
            labels, owner = self.match(boxes, np.zeros(len(boxes), bool), grid)
            encoded, weight, own = np.zeros((len(grid), 4), np.float32), np.zeros(len(grid), np.float32), labels == anchor.FACE
            encoded[own], weight[own] = self.anchors.encode(boxes[owner[own]], grid[own]), scores[owner[own]]
            rows.append((labels, weight, encoded))
        return {name: torch.from_numpy(np.stack(column)).to(images.device)
                for name, column in zip(("labels", "scores", "boxes"), zip(*rows))}

    def rows(self, outputs):
        """Maps are [N, 2 * 4, h, w] boxes, and [N, 2 * 2, h, w] scores: both anchors' background, both anchors' face."""
        boxes = [outputs[f"m{m}.box"].permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 4)) for m in (1, 2, 3)]
        logits = [outputs[f"m{m}.score"].unflatten(1, (2, 2)).permute(0, 3, 4, 2, 1).flatten(1).unflatten(1, (-1, 2))
                  for m in (1, 2, 3)]
        return torch.cat(boxes, 1).float(), torch.cat(logits, 1).float(), None

    def scale(self, name):
        """A body that another network has trained changes slowly."""
        return 0.1 if self.is_fresh and self.options.weights and name.startswith("body.") else 1.0

    def teacher(self):
        """Finds only: SSH is no student of another detector's anchors."""
        return self.options.teacher


class Finder:
    """A RetinaFace that says what it finds in square images of one size."""

    def __init__(self, options, side):
        self.recipe = object.__new__(RetinaFace)
        variant, _, path = options.teacher.rpartition("=")
        self.graph = vpipe.load("retinaface", variant or RetinaFace.variant, (side, side), path, options.folder,
                                RetinaFace.outputs).eval()

    @torch.no_grad()
    def __call__(self, images, score=UNSURE):
        """Boxes, scores and landmarks of each image of a batch, best first."""
        return self.recipe.detect(self.graph.to(images.device), images, score)


class TeacherLabels:
    """Labels for photographs of any size."""

    side = 640

    def __init__(self, options):
        self.finder = Finder(options, self.side)

    def __call__(self, image):
        scale = self.side / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        canvas = np.full((self.side, self.side, 3), FILL, np.uint8)
        canvas[:small.shape[0], :small.shape[1]] = small[:self.side, :self.side]
        (boxes, scores, points), = self.finder(torch.from_numpy(canvas)[None])
        boxes, points, sure = boxes / scale, points / scale, scores >= SURE
        return faces.Photo(image, boxes[sure], points[sure].astype(np.float32), boxes[~sure].astype(np.float32))
