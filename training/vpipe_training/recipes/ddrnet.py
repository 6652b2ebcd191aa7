# SPDX-License-Identifier: Apache-2.0
"""DDRNet: cross entropy of the hard pixels with an auxiliary head on the early high-resolution branch."""
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from .. import vpipe
from ..data import segmentation
from ..data.media import stills
from ..losses import segmentation as losses
from ..losses.segmentation import IGNORED
from ..metrics import segmentation as metrics
from ..trainer import Settings
from .base import Recipe


class DDRNet(Recipe):
    network, variant, size = "ddrnet", "23-slim", (416, 320)
    settings = Settings(batch=8, learning_rate=1.5e-3, weight_decay=0.03, averaging=0.997, clip=5.0)
    understands, needs = ("streets", "soft", "media"), ("streets",)
    branch = "high3"  # the high-resolution branch where the two first exchange
    outputs = ["logits", branch]

    def __init__(self, options):
        self.classes = [name for folder in options.folders("streets")[:1] for name in segmentation.classes(folder)]
        super().__init__(options)
        with torch.no_grad():
            sample = self.model.eval()(image=torch.zeros(1, 3, *self.size[::-1]))
        self.model.add_module("auxiliary", _head(sample[self.branch].shape[1], len(self.classes)))

    def initial(self):
        """The head of random weights is cut to the data's classes: the weights tell the network how many there are."""
        path = super().initial()
        tensors, last = load_file(path), "final_layer.conv2."
        cut = {name: value[:len(self.classes)].clone() if name.startswith(last) else value
               for name, value in tensors.items()}
        vpipe.save(cut, path, {"network": self.network, "variant": self.variant})
        return path

    def prepare_graphs(self):
        for folder in self.options.folders("streets"):
            for size in {photo.shape[1::-1] for photo in segmentation.load(folder, "val")[0]}:
                self.graph(self.weights, size)

    def prepare(self):
        self.guide, photos, labels, names = self.teacher(), [], [], []
        for folder in self.options.folders("streets"):
            some, maps = segmentation.load(folder, "train")
            photos, labels, names = photos + some, labels + maps, names + segmentation.names(folder, "train")
        given = {}
        for path in self.options.folders("soft"):
            given |= segmentation.soft(path, len(self.classes))
        strange = [image for folder in self.options.folders("media") for image in stills(folder, longest=640)]
        soft = [given.get(name) for name in names] if given or strange else None
        if soft:
            print(f"{sum(m is not None for m in soft)} of {len(names)} photographs with probabilities, "
                  f"{len(strange)} without a street", flush=True)
            # Outlier exposure (Hendrycks et al. 2019): on what is no street every class is as likely as any other.
            even = np.full((len(self.classes), 8, 8), round(255 / len(self.classes)), np.uint8)
            soft += [even] * len(strange)
            photos = photos + strange
            labels = labels + [np.full(image.shape[:2], IGNORED, np.uint8) for image in strange]
        self.dataset = segmentation.Streets(
            photos, labels, len(self.classes), self.size, self.options.seed, soft)

    def losses(self, model, batch, progress):
        x = prepared(batch["image"])
        out = model(image=x)
        parts = losses.main_and_auxiliary(out["logits"], model.auxiliary(out[self.branch]), batch["label"])
        wanted = None
        if self.guide is not None:
            with torch.no_grad():
                wanted = self.guide.to(x.device)(image=x)["logits"]
        if "soft" in batch:
            soft, known = batch["soft"].float() / 255, batch["known"]
            if wanted is not None:
                soft, known = ensemble(soft, known, wanted.softmax(1), batch["label"])
            parts["teacher"] = losses.softened(out["logits"], soft, known)
        elif wanted is not None:
            parts["teacher"] = losses.distilled(out["logits"], wanted)
        return parts

    def exported(self, model):
        return {name: value for name, value in model.state_dict().items() if not name.startswith("auxiliary.")}

    @torch.no_grad()
    def evaluate(self, weights):
        figures, graphs = {}, {}
        for folder in self.options.folders("streets"):
            photos, labels = segmentation.load(folder, "val")
            total = 0
            for photo, label in zip(photos, labels):
                size = photo.shape[1], photo.shape[0]
                if size not in graphs:
                    graphs[size] = self.graph(weights, size).eval()
                logits = graphs[size](image=prepared(torch.from_numpy(photo)[None]))["logits"]
                full = F.interpolate(logits, label.shape, mode="bilinear", align_corners=False)
                total = total + metrics.confusion(full.argmax(1)[0].numpy(), label, len(self.classes))
            figures[f"{folder} val"] = metrics.scores(total, self.classes)
        return figures


def ensemble(soft, known, teacher, label):
    """The mean of given probabilities [N, C, h, w] and a teacher's, the teacher's alone where none are `known` [N, h, w].

    What has no label at all is no street: a teacher has nothing to say about it.
    """
    street = (label != IGNORED).flatten(1).any(1).view(-1, 1, 1)
    both = torch.where((known > 0)[:, None], (soft + teacher) / 2, teacher)
    return torch.where(street[:, None], both, soft), torch.maximum(known, street.to(known))


def _head(channels, classes):
    """The auxiliary head: training only, never stored."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 64, 3, padding=1, bias=False),
                         nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, classes, 1))


def prepared(rgb):
    """uint8 [N, H, W, 3] as the network takes it."""
    mean, deviation = (torch.from_numpy(v).to(rgb.device) for v in (segmentation.MEAN, segmentation.DEVIATION))
    return ((rgb.float() - mean) / deviation).permute(0, 3, 1, 2)
