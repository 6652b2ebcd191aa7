# SPDX-License-Identifier: Apache-2.0
"""Every recipe for a moment on generated data: the loss falls, and what is exported computes the same inside vpipe."""
import math
import shutil
import time
from dataclasses import replace

import numpy as np
import openvino
import torch

from . import export, vpipe
from .data import generated
from .recipes import RECIPES
from .recipes.base import Options
from .trainer import Budget, Trainer

CASES = [  # network, stage, kind of data, side of the images, batch, steps
    ("mlsd", 1, "lines", 128, 4, 20),
    ("retinaface", 1, "faces", 160, 4, 25),
    ("ssh", 1, "faces", 160, 4, 25),
    ("ddrnet", 1, "streets", 128, 4, 20),
    ("dwtanet", 1, "media", 64, 4, 25),
    ("dwtanet", 2, "media", 64, 2, 12),
    ("dwtanet", 3, "media", 64, 2, 20),
]
TOLERANCE = 1e-3  # of the largest number of an output: 32-bit rounding through a folded graph
PROBES = 3  # batches on which the loss is measured before and after


def run(out, only=None):
    torch.set_num_threads(1)
    shutil.rmtree(out, ignore_errors=True)
    rng = np.random.default_rng(1)
    data = {kind: getattr(generated, kind)(out / "data" / kind, rng) for kind in ("lines", "faces", "streets", "media")}
    start = None  # dwtanet's stages begin where the one before ended
    for network, stage, kind, size, batch, steps in CASES:
        if only and network not in only:
            continue
        began, folder = time.monotonic(), out / f"{network}-{stage}"
        folder.mkdir(parents=True)
        recipe = RECIPES[network](Options(
            {kind: [str(data[kind])]}, size=size, stage=stage, weights=start if stage > 1 else None, folder=folder))
        recipe.settings = replace(recipe.settings, batch=batch, averaging=0.5, warm_up=0.1)
        recipe.prepare()
        before = probe(recipe, recipe.model)
        trainer = Trainer(recipe, Budget(steps=steps), folder)
        trainer.run()
        after = probe(recipe, trainer.model)
        if not after < before:
            raise SystemExit(f"{network}: the loss did not fall: {before:.4f} to {after:.4f}")
        start = export.write(recipe, recipe.exported(trainer.average), folder / f"{network}.safetensors")
        difference = drift(recipe, start, folder)
        if not difference < TOLERANCE:
            raise SystemExit(f"{network}: vpipe's graph of the exported weights differs by {difference:.1e}")
        figures = recipe.evaluate(start) if stage in (1, 3) else {}
        if not all(math.isfinite(v) for v in _numbers(figures)):
            raise SystemExit(f"{network}: figures that are no numbers: {figures}")
        print(f"{network} stage {stage}: loss {before:.3f} to {after:.3f}, exported graph within {difference:.1e}, "
              f"{time.monotonic() - began:.0f} s", flush=True)


@torch.no_grad()
def probe(recipe, model):
    """Mean loss over batches that training never sees, by the batches' own statistics, which are left as they were."""
    batches = [recipe.collate([recipe.dataset[((1 << 30) + p * 64 + i, 0.0)] for i in range(recipe.settings.batch)])
               for p in range(PROBES)]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    loss = sum(float(sum(recipe.losses(model.train(), batch, 0.0).values())) for batch in batches) / PROBES
    model.load_state_dict(state)
    return loss


@torch.no_grad()
def drift(recipe, weights, folder):
    """Largest difference between the weights in PyTorch and in the graph vpipe makes of them for its engine."""
    graph = recipe.graph(weights, recipe.size).eval()
    path = vpipe.export(recipe.network, recipe.variant, recipe.size, weights, folder / "inference.onnx", training=False)
    engine = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    torch.manual_seed(2)
    inputs = {port.any_name: torch.rand(list(port.shape)) for port in engine.inputs}
    results = engine({name: value.numpy() for name, value in inputs.items()})
    names = [port.any_name for port in engine.outputs]
    own = inference_outputs(recipe, graph, inputs, names)
    return max(float(np.abs(results[i] - own[name].numpy()).max() / max(1e-6, np.abs(results[i]).max()))
               for i, name in enumerate(names))


def inference_outputs(recipe, graph, inputs, names):
    """The outputs of the inference graph, out of the training graph."""
    if recipe.network == "mlsd":  # inference keeps what decoding needs of the sixteen maps
        logits = graph(**inputs)["logits"]
        return {"centre": torch.sigmoid(logits[:, 7:8]), "displacement": logits[:, 8:12]}
    return graph(names, **inputs)


def _numbers(tree):
    for value in tree.values():
        yield from _numbers(value) if isinstance(value, dict) else [value]
