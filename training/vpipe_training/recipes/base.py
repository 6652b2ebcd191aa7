# SPDX-License-Identifier: Apache-2.0
"""What the trainer asks of a recipe."""
from dataclasses import dataclass, field
from pathlib import Path

from torch.utils.data import default_collate

from .. import vpipe
from ..hints import Hints
from ..trainer import Settings


@dataclass
class Options:
    """What the command line gives every recipe."""

    sources: dict = field(default_factory=dict)  # kind of data to folders
    variant: str = None
    size: int = None  # of the training images
    teacher: str = None  # weights of the same network, or NETWORK_VARIANT=PATH
    weights: str = None  # to start from, whole or the layers shared with another network; random ones otherwise
    stage: int = 1  # of dwtanet
    seed: int = 1
    folder: Path = Path(".")  # for graphs

    def folders(self, kind):
        return self.sources.get(kind, [])


class Recipe:
    """A network with its data, losses and evaluation.

    `model` is the module that is trained, `dataset` maps `(index, progress)` to a sample, `losses(model, batch, progress)`
    gives named parts whose sum is minimised. Reading data is left to `prepare`, so that evaluation need not.
    """

    network = variant = None
    outputs = None  # values of the graph, by layer
    body, neck = (), ()  # layers whose features a student follows where its teacher is of the same variant
    counterparts = {}  # layers and what they are called in another network whose weights it can start from
    settings = Settings()
    needs = ()  # kinds of data without which it cannot train
    understands = ()  # kinds of data it can use
    size = (320, 320)
    mixed_precision = True  # whether bf16 is enough for it
    sees_whole_pictures = False  # whether training images are pictures as in use, not parts: nodes then use their size

    def __init__(self, options):
        self.options = options
        self.variant = options.variant or self.variant
        if options.size:
            self.size = (options.size, options.size)
        self.weights, self.is_fresh = self.start()
        self.model = self.graph(self.weights, self.size)
        self.dataset = self.guide = None

    def start(self):
        """The weights to start from, and whether the heads are new: no weights are given, or those of another network."""
        given = self.options.weights
        if given and vpipe.network_of(given) in (None, self.network):
            return given, False
        if not given:
            return self.initial(), True
        return vpipe.shared_weights(given, self.initial(), self.options.folder, self.counterparts), True

    def initial(self):
        """Random weights to start from."""
        return vpipe.initial_weights(self.network, self.variant, self.options.seed, self.options.folder)

    def graph(self, weights, size, variant=None):
        """The network at a size as a module."""
        return vpipe.load(self.network, variant or self.variant, size, weights, self.options.folder, self.outputs)

    def teacher(self):
        """The frozen teacher, or nothing; `variant=PATH` names one of another variant."""
        given = self.options.teacher
        if not given:
            return None
        variant, _, path = given.rpartition("=")
        return self.graph(path, self.size, variant or None).eval().requires_grad_(False)

    def follow(self, prepared):
        """Sets up the hints, once there are teacher and dataset; `prepared(images)` is what the network takes."""
        alike = self.options.teacher.rpartition("=")[0] in ("", self.variant)
        self.hints = Hints(self.model, self.guide, *((self.body, self.neck) if alike else ((), ())), self.is_fresh)
        if self.is_fresh:
            batch = self.collate([self.dataset[(i, 0.0)] for i in range(8)])
            self.hints.align(prepared(batch["image"]))

    def run(self, model, x, progress):
        """Outputs of the model, those of the teacher, and the losses of its hints as named parts; `None` for what is not."""
        if self.guide is None:
            return model(image=x), None, {}
        return self.hints.run(self.outputs, x, progress)

    def prepare_graphs(self):
        """Makes the graphs that `prepare` and `evaluate` use, beyond the trained one and the teacher's."""

    def prepare(self):
        """Reads the data; sets `dataset`."""
        raise NotImplementedError

    def losses(self, model, batch, progress):
        raise NotImplementedError

    def evaluate(self, weights):
        """Figures of a weights file for the model card, by data set."""
        raise NotImplementedError

    def collate(self, samples):
        return default_collate(samples)

    def scale(self, name):
        """The learning rate of a tensor relative to the schedule's; 0 freezes it."""
        return 1.0

    def exported(self, model):
        """The tensors to store, by vpipe's names."""
        return model.state_dict()
