# SPDX-License-Identifier: Apache-2.0
"""DWTA-Net in the paper's stages: enhance frames; refine over time with that frozen; both together.

Clips are degraded on the fly, from twilight to near darkness, and the flow comes from the noisy frames, as it does when
the pipeline runs. Each stage is a run of its own that starts from the weights of the one before.
"""
import numpy as np
import torch

from ..data.degrade import Exposure, degrade
from ..data.flow import Flow
from ..data.lowlight import LowLightClips
from ..data.video import VIDEOS, files, read_video
from ..losses.lowlight import frame_loss, temporal_loss
from ..metrics.lowlight import WarpingError, compare
from ..temporal import history_weight
from ..trainer import Settings
from ..warp import resize_flow, warp
from . import dwtanet_start
from .base import Recipe

ENHANCED, REFINED = ("estimate", "features"), ("S.residual",)  # what follows the last is a clamp
HELD_BACK = ("highway-small1",)  # the development clip, never trained on
LEVELS = {  # light, full well in electrons, read noise
    "mild": (10**-0.7, 1500, 10**-3), "medium": (10**-1.1, 600, 10**-2.7), "harsh": (10**-1.6, 200, 10**-2.4)}


class DWTANet(Recipe):
    network, variant, size = "dwtanet", "S", (96, 96)
    outputs = [*ENHANCED, *REFINED]
    understands = needs = ("media",)
    mixed_precision = False  # decays of the scans lie just below 1
    frames = {1: 3, 2: 5, 3: 7}  # of a clip, by stage

    def __init__(self, options):
        self.stage = options.stage
        super().__init__(options)
        rate = 1e-3 if self.stage < 3 else 1e-4
        self.settings = Settings(batch=8, learning_rate=rate, weight_decay=0.01, averaging=0.999, clip=1.0)

    def prepare(self):
        self.dataset = LowLightClips.load(
            self.options.folders("media"), exclude=HELD_BACK, frames=self.frames[self.stage], size=self.size[0],
            seed=self.options.seed, clean_flow=self.stage > 1)
        if self.is_fresh:
            found = dwtanet_start.components(self.dataset.videos, self.dataset.photos, self.options.seed)
            dwtanet_start.enhancer(self.model, *found)
            dwtanet_start.refiner(self.model, *found)

    def scale(self, name):
        if (self.stage == 1 and name.startswith("S")) or (self.stage == 2 and not name.startswith("S")):
            return 0.0
        # The last layers sum hundreds of alike inputs: at full rate they overshoot and kill the rectifiers before them.
        return 0.1 if name.startswith(("R1.", "S3.")) else 1.0

    def losses(self, model, batch, progress):
        frames, target, flows = (batch[k].transpose(0, 1) for k in ("input", "target", "flow"))
        if self.stage == 1:
            return {"enhanced": frame_loss(self.enhance_last(model, frames, flows), target[-1])}
        clean_flows = batch["clean_flow"].transpose(0, 1)
        parts = {"refined": 0.0, "enhanced": 0.0, "temporal": 0.0}
        before = None
        for t, (estimate, output) in enumerate(self.play(model, frames, flows)):
            parts["refined"] += frame_loss(output, target[t])
            parts["enhanced"] += 0.3 * frame_loss(estimate, target[t])
            if t:
                parts["temporal"] += 0.5 * temporal_loss(output, before, target[t], target[t - 1], clean_flows[t])
            before = output
        if self.stage == 2:
            del parts["enhanced"]  # frozen
        return {name: value / len(frames) for name, value in parts.items()}

    def enhance_last(self, model, frames, flows):
        """Stage I of the last of three frames, the only one with full history: one encoding each."""
        first, second, third = (self.features(model, x) for x in frames)
        size = third.shape[-2:]
        into, last = resize_flow(flows[1], size), resize_flow(flows[2], size)
        return model(ENHANCED, frame=frames[2], features1=warp(second, last)[0],
                     features2=warp(warp(first, into)[0], last)[0])["estimate"]

    def features(self, model, frame):
        return model(("features",), frame=frame)["features"]

    def play(self, model, frames, flows):
        """(estimate, output) of every frame in turn; features and history are warped from frame to frame."""
        past = older = output = age = None
        for t, frame in enumerate(frames):
            if past is None:
                cells = (len(frame), self.channels(model), frame.shape[-2] // 4, frame.shape[-1] // 4)
                one = two = frame.new_zeros(cells)
            else:
                flow = resize_flow(flows[t], past.shape[-2:])
                one, two = warp(past, flow)[0], warp(older, flow)[0]
            made = model(ENHANCED, frame=frame, features1=one, features2=two)
            estimate, past, older = made["estimate"], made["features"], one
            if output is None:
                history, valid, age = estimate, torch.zeros_like(frame[:, :1]), torch.ones_like(frame[:, :1])
            else:
                history, valid = warp(output, flows[t])
                age = warp(age, flows[t])[0]
            weight, age = history_weight(estimate, history, valid, age)
            blend = weight * history + (1 - weight) * estimate
            output = model(REFINED, current=estimate, blend=blend, omega=weight)["S.residual"]
            if not model.training:
                output = output.clamp(0, 1)
            yield estimate, output

    def exported(self, model):
        state = super().exported(model)
        if self.stage > 1:
            for name in ("S3.weight", "S3.bias"):
                state[name] = keeping_colours(state[name])
        return state

    def channels(self, model):
        return model.get_submodule("E0").bias.shape[0]

    @torch.no_grad()
    def evaluate(self, weights, height=360, count=12):
        """On the clip held back at three levels of darkness; also what the aggregation does without networks."""
        figures = {}
        kept = [path for folder in self.options.folders("media") for path in files(folder, VIDEOS)
                if any(name in path for name in HELD_BACK)]
        for path in kept:
            clip = read_video(path, height, start=20, count=count)
            model = self.graph(weights, (clip.shape[2], clip.shape[1])).eval()
            for name, (light, full_well, read) in LEVELS.items():
                rng = np.random.default_rng(7)
                exposure = Exposure.draw(rng)
                exposure.light, exposure.full_well, exposure.read, exposure.jpeg = light, full_well, read, 0
                noisy, clean = degrade(clip, rng, exposure)
                figures[f"{name}"] = self._compare(model, noisy, clean)
        return figures

    def prepare_graphs(self):
        self.graph(self.weights, (640, 360))  # a clip of 16:9

    def _compare(self, model, noisy, clean):
        flow, still = Flow(), np.zeros((2, *noisy.shape[1:3]), np.float32)
        flows = torch.from_numpy(np.stack([still] + [flow(b, a) for a, b in zip(noisy, noisy[1:])]))[:, None]
        frames, target = (torch.from_numpy(x).permute(0, 3, 1, 2)[:, None].contiguous() for x in (noisy, clean))
        played = list(self.play(model, frames, flows))
        warping = WarpingError(list(target))
        return {"input": compare(frames, target, warping), "stage I": compare([e for e, _ in played], target, warping),
                "refined": compare([o for _, o in played], target, warping)}


def keeping_colours(layer):
    """Stage II's last layer without what would change the mean colour of a 4x4 cell.

    What was trained on a few streets takes saturated colours for noise of their mean: red comes out orange.
    """
    cells = layer.reshape(3, 16, *layer.shape[1:])
    return (cells - cells.mean(1, keepdim=True)).reshape(layer.shape)
