# SPDX-License-Identifier: Apache-2.0
"""M-LSD: exact maps of rendered scenes and labelled photographs, or a teacher's maps of any photograph."""
import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ..data import images, line_targets, lines, scenes
from ..data.media import stills
from ..losses import lines as losses
from ..metrics import lines as metrics
from ..trainer import Settings
from .base import Recipe

SIDES = (320, 512)  # of the images that are evaluated
DISPLACEMENT_UNIT = 16.0  # logits of displacements are trained in this many map pixels, so that all logits are alike
HINTS = {  # what the decoder takes from each scale of the body, and what it makes of it
    "tiny": (("backbone.features.2.conv.0.2", "block14.conv2.2", "block12.conv2.2", "block12.conv1.2"),
             ("block13.conv2.2", "block15.conv2.2", "block16.conv2.2")),
    "large": (("block21.conv2.2", "block19.conv2.2", "block17.conv2.2", "block15.conv2.2", "block15.conv1.2"),
              ("block16.conv2.2", "block18.conv2.2", "block20.conv2.2", "block22.conv2.2", "block23.conv2.2"))}


class MLSD(Recipe):
    network, variant, outputs = "mlsd", "tiny", ["logits"]
    settings = Settings(batch=8, learning_rate=3e-3, weight_decay=1e-4, averaging=0.998, clip=30.0)
    understands = ("lines", "media")
    sees_whole_pictures = True
    exact_every = 5  # samples with exact maps when there is a teacher for the others

    def __init__(self, options):
        super().__init__(options)
        self.body, self.neck = HINTS[self.variant]
        self.unit = torch.ones(1, line_targets.CHANNELS, 1, 1)
        for kind in line_targets.DISPLACEMENT.values():
            self.unit[:, kind] = DISPLACEMENT_UNIT
        with torch.no_grad():
            head = self.model.get_submodule(self._last())
            if not self.is_fresh:
                head.weight.div_(self.unit.view(-1, 1, 1, 1))
                head.bias.div_(self.unit.view(-1))
            else:  # a prior for maps that are almost empty
                head.weight.mul_(0.3)
                head.bias[[line_targets.CENTRE["sol"], line_targets.CENTRE["tp"], line_targets.JUNCTION]] = -4.0
                head.bias[line_targets.LINE] = -2.0

    def prepare_graphs(self):
        for side in SIDES:
            self.graph(self.weights, (side, side))

    def prepare(self):
        self.guide = self.teacher()
        labelled = [item for folder in self.options.folders("lines") for item in lines.load(folder, "train")]
        photos = [(image, None) for folder in self.options.folders("media") for image in stills(folder)]
        if self.guide is not None:  # the teacher's maps say more than labels of some of the lines
            photos += [(image, None) for image, _ in labelled]
            self.dataset = LineViews(photos, self.size[0], self.options.seed, self.exact_every if photos else 1)
            self.follow(prepared)
        else:
            self.dataset = LineViews(labelled, self.size[0], self.options.seed, 2 if labelled else 1)

    def losses(self, model, batch, progress):
        found, wanted, parts = self.run(model, prepared(batch["image"]), progress)
        if found is None:
            return parts
        logits = found["logits"].float() * self.unit.to(batch["image"].device)
        exact = batch["exact"]
        truth = losses.supervised(logits[exact], batch["target"])
        if wanted is None:
            return truth
        parts |= {f"exact_{name}": 0.25 * value for name, value in truth.items()}
        return parts | losses.distilled(logits[~exact], wanted["logits"].float()[~exact])

    def collate(self, samples):
        """Target maps only of the samples that have them."""
        targets = [s["target"] for s in samples if s["target"] is not None]
        side = self.size[0] // 2
        maps = np.stack(targets) if targets else np.zeros((0, line_targets.CHANNELS, side, side), np.float32)
        return {"image": torch.from_numpy(np.stack([s["image"] for s in samples])), "target": torch.from_numpy(maps),
                "exact": torch.tensor([s["target"] is not None for s in samples])}

    def exported(self, model):
        state, head = dict(model.state_dict()), self._last()
        for slot, shape in (("weight", (-1, 1, 1, 1)), ("bias", (-1,))):
            name = f"{head}.{slot}"
            state[name] = state[name] * self.unit.view(shape).to(state[name].device)
        return state

    def evaluate(self, weights):
        """On the photographs held back; with a teacher also the share of its lines that are found, at the usual limits."""
        figures, teacher = {}, self.options.teacher
        for side in SIDES:
            graph = self.graph(weights, (side, side)).eval()
            for folder in self.options.folders("lines"):
                held = lines.load(folder, "held")
                pairs = [(_found(graph, image, side), truth * _square(image)) for image, truth in held]
                row = figures[f"{folder} held back, at {side}"] = metrics.structural_ap(pairs)
                if teacher:
                    variant, _, path = teacher.rpartition("=")
                    guide = self.graph(path, (side, side), variant or None).eval()
                    usual = 0.1, 20 * side / 512
                    row["recall of the teacher's"] = metrics.recall(
                        [[_found(g, image, side, *usual) for g in (graph, guide)] for image, _ in held])
        return figures

    def _last(self):
        return {"tiny": "block16.conv3", "large": "block23.conv3"}[self.variant]


class LineViews(Dataset):
    """Views of photographs and, every `exact_every`-th sample, a rendered scene."""

    def __init__(self, photos, size, seed, exact_every):
        self.photos, self.size, self.seed, self.exact_every = photos, size, seed, exact_every

    def __len__(self):
        return 1 << 40

    def __getitem__(self, key):
        rng = np.random.default_rng([self.seed, key[0]])
        if key[0] % self.exact_every == 0:
            image, segments = scenes.scene(rng, self.size)
        else:
            photo, segments = self.photos[rng.integers(len(self.photos))]
            image, matrix = images.random_view(photo, rng, self.size)
            segments = None if segments is None else lines.transform(segments, matrix, self.size)
        target = None if segments is None else line_targets.encode(segments, self.size)
        return {"image": images.jitter(image, rng), "target": target}


def prepared(rgb):
    """uint8 [N, H, W, 3] as the network takes it."""
    return rgb.permute(0, 3, 1, 2).float() / 127.5 - 1


def _square(image):
    height, width = image.shape[:2]
    return np.float32([metrics.SQUARE / width, metrics.SQUARE / height] * 2)


@torch.no_grad()
def _found(graph, image, side, score=0.01, length=5.0):
    x = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    logits = graph(image=prepared(torch.from_numpy(x)[None]))["logits"][0]
    segments = metrics.decode(logits, score, length)
    segments[:, :4] *= metrics.SQUARE / side
    return segments
