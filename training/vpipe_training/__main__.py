# SPDX-License-Identifier: Apache-2.0
"""The command line: train, eval, export, label, graphs, smoke."""
import argparse
import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import torch
from safetensors.torch import load_file

from . import export, vpipe
from .recipes import RECIPES
from .recipes.base import Options
from .trainer import Budget, Trainer


def main():
    cv2.setNumThreads(1)  # before its first use: workers are forked, and would wait for threads that only their parent has
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except SystemExit as error:
        if not isinstance(error.code, str):
            raise
        print(f"vpipe_training: {error.code}", file=sys.stderr)
        raise SystemExit(2)


def train(arguments):
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    recipe = _recipe(arguments, out)
    given = {"batch": arguments.batch, "learning_rate": arguments.lr}
    recipe.settings = replace(recipe.settings, **{name: value for name, value in given.items() if value})
    recipe.prepare()
    (out / "run.json").write_text(json.dumps({
        "data": " ".join(arguments.data), "teacher": arguments.teacher or "none", "start": arguments.weights or "random",
        "trained at": f"{recipe.size[0]}x{recipe.size[1]}", "recipe": str(recipe.settings), "stage": arguments.stage,
        "seed": arguments.seed, "device": arguments.device}, indent=1))
    trainer = Trainer(
        recipe, Budget(arguments.minutes, arguments.steps), out, arguments.seed, arguments.device, arguments.workers,
        _amp(arguments))
    trainer.run()
    weights = export.write(
        recipe, recipe.exported(trainer.average), out / f"{recipe.network}_{recipe.variant}.safetensors")
    print(f"wrote {weights}: {trainer.step} steps, {trainer.seen} samples, {trainer.seconds / 60:.1f} minutes")


def evaluate(arguments):
    torch.set_num_threads(arguments.threads)
    recipe = _recipe(arguments, Path(arguments.out or "."))
    print(json.dumps(recipe.evaluate(arguments.weights), indent=1))


def write(arguments):
    run = Path(arguments.out)
    recipe = _recipe(arguments, run)
    trained = load_file(run / f"{recipe.network}_{recipe.variant}.safetensors")
    history = export.notes(run)
    notes = {"trained_at": history["trained at"]} | dict(note.split("=", 1) for note in arguments.note)
    weights = export.write(recipe, trained, arguments.to, notes, half=True)
    vpipe.record(recipe.network, recipe.variant, weights)
    card = export.card(weights, recipe, history, recipe.evaluate(weights))
    print(f"wrote {weights} and {card}")


def label(arguments):
    from . import face_teachers
    from .label import write

    for item in arguments.data:
        if not item.startswith("media:") or not os.path.isdir(item[len("media:"):]):
            raise SystemExit(f"{item}: expected media:FOLDER, a folder of photographs and videos")
    ensemble = face_teachers.Ensemble([face_teachers.detector(text) for text in arguments.teacher])
    rows = write(ensemble, [item[len("media:"):] for item in arguments.data], arguments.out)
    print(f"{arguments.out}: {len(rows)} photographs, {sum(len(row['boxes']) for row in rows)} faces, "
          f"{sum(len(row['ignored']) for row in rows)} ignored")


def graphs(arguments):
    """Everything that `train` and `eval` would ask the vpipe program for."""
    folder = Path(arguments.graphs)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = _recipe(arguments, folder)
    recipe.teacher()
    recipe.prepare_graphs()
    print("\n".join(sorted(str(path) for path in folder.iterdir())))


def smoke(arguments):
    from .smoke import run

    run(Path(arguments.out), arguments.only)


def _recipe(arguments, folder):
    sources = {}
    for item in arguments.data:
        kind, _, path = item.partition(":")
        sources.setdefault(kind, []).append(path)
    kinds = RECIPES[arguments.network].understands
    if unknown := set(sources) - set(kinds):
        raise SystemExit(f"{arguments.network}: no data of the kind {', '.join(unknown)}; it knows {', '.join(kinds)}")
    if missing := [f"{kind}:FOLDER" for kind in RECIPES[arguments.network].needs if kind not in sources]:
        raise SystemExit(f"{arguments.network}: needs --data {' '.join(missing)}")
    return RECIPES[arguments.network](Options(
        sources, arguments.variant, arguments.size, arguments.teacher, arguments.weights, arguments.stage,
        arguments.seed, Path(arguments.graphs) if arguments.graphs else folder))


def _amp(arguments):
    """bf16 where it pays: on a GPU, and on a CPU with units for it."""
    if arguments.amp != "auto":
        return arguments.amp == "bf16"
    return arguments.device.startswith("cuda") or torch.backends.cpu.get_cpu_capability() == "AMX"


def _parser():
    parser = argparse.ArgumentParser(prog="python -m vpipe_training", description="Trains the networks of vpipe.")
    commands = parser.add_subparsers(required=True)

    def command(name, function, text, *, network=True):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=function)
        if network:
            sub.add_argument("network", choices=RECIPES)
            sub.add_argument("--data", action="append", default=[], metavar="KIND:FOLDER",
                             help="lines, faces, taught (faces that a teacher labelled), streets, soft (a file) or media "
                                  "(photographs and videos); may be repeated")
            sub.add_argument("--variant")
            sub.add_argument("--size", type=int, help="side of the training images")
            sub.add_argument("--weights", help="to start from, or to evaluate")
            sub.add_argument("--teacher", metavar="[VARIANT=]WEIGHTS", help="weights to distil from")
            sub.add_argument("--stage", type=int, choices=(1, 2, 3), default=1, help="of dwtanet")
            sub.add_argument("--graphs", metavar="FOLDER", help="graphs that the command of this name wrote")
            sub.add_argument("--seed", type=int, default=1)
            sub.add_argument("--threads", type=int, default=1, help="of the CPU, for networks")
        return sub

    sub = command("train", train, "Train, or go on where a run of the same folder stopped.")
    sub.add_argument("--out", required=True, help="folder of the run")
    sub.add_argument("--minutes", type=float, default=math.inf)
    sub.add_argument("--steps", type=float, default=math.inf)
    sub.add_argument("--batch", type=int)
    sub.add_argument("--lr", type=float)
    sub.add_argument("--device", default="cpu")
    sub.add_argument("--workers", type=int, default=0, help="processes that make samples")
    sub.add_argument("--amp", choices=("auto", "bf16", "off"), default="auto")
    sub = command("eval", evaluate, "Measure weights on what the data sets hold back.")
    sub.add_argument("--out", help="where graphs are put")
    sub = command("export", write, "Write a run's weights as float16 with a card.")
    sub.add_argument("--out", required=True, help="folder of the run")
    sub.add_argument("--to", required=True, help="the .safetensors file")
    sub.add_argument("--note", action="append", default=[], metavar="KEY=VALUE",
                     help="metadata, such as state=preview, accuracy=WORDS, licence=WORDS; may be repeated")
    sub = command("label", label, "Label faces in photographs and videos by several detectors.", network=False)
    sub.add_argument("--teacher", action="append", required=True, metavar="KIND[@SIDE]=FILE",
                     help="yunet or centerface in ONNX, at a longer side of SIDE pixels; may be repeated")
    sub.add_argument("--data", action="append", required=True, metavar="media:FOLDER", help="may be repeated")
    sub.add_argument("--out", required=True, help="folder for the photographs and labels.json")
    command("graphs", graphs, "Write the graphs of a run to --graphs: the run then needs no vpipe program.")
    sub = command("smoke", smoke, "Train every recipe for a moment on generated data and check it.", network=False)
    sub.add_argument("--out", default=os.path.join(".build", "train-smoke"))
    sub.add_argument("--only", choices=RECIPES, action="append")
    return parser


if __name__ == "__main__":
    main()
