# SPDX-License-Identifier: Apache-2.0
"""Weights out of training: `.safetensors` as the nodes of vpipe load them, and a card that says what they are."""
import json
from pathlib import Path

import torch
from safetensors import safe_open

from . import vpipe


def write(recipe, state, path, notes=None, half=False):
    """Writes tensors by vpipe's names, with metadata; checks that none is missing or new.

    `half` stores kernels as float16. Vectors are few and stay float32: variances of raw pixels do not fit into float16.
    """
    state = {name: value.detach().cpu().to(torch.float16 if half and value.ndim > 1 else torch.float32).contiguous()
             for name, value in state.items()}
    expected = set(vpipe.parameter_names(recipe.weights))
    if set(state) != expected:
        raise SystemExit(f"{recipe.network}: tensors do not match: {sorted(expected ^ set(state))[:5]}")
    if broken := [name for name, value in state.items() if not value.isfinite().all()]:
        raise SystemExit(f"{recipe.network}: numbers that are not finite in {', '.join(broken[:5])}")
    metadata = {"network": recipe.network, "variant": recipe.variant, "licence": "Apache-2.0",
                "provenance": "trained with vpipe_training", "trained_at": f"{recipe.size[0]}x{recipe.size[1]}"}
    if recipe.sees_whole_pictures:
        metadata["input_size"] = metadata["trained_at"]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    vpipe.save(state, path, metadata | (notes or {}))
    return Path(path)


def card(path, recipe, run, figures):
    """A Markdown card beside the weights, from the run's own notes and measured figures."""
    with safe_open(str(path), "pt") as file:
        size = sum(file.get_tensor(name).numel() for name in file.keys())
    lines = [f"# {Path(path).stem}", "", "| | |", "|---|---|",
             f"| network | {recipe.network} {recipe.variant}, {size:,} numbers |"]
    lines += [f"| {name} | {value} |" for name, value in run.items()]
    for title, row in figures.items():
        lines += ["", f"{title}:", "", *_table(row)]
    target = Path(path).with_suffix(".md")
    target.write_text("\n".join(lines) + "\n")
    return target


def _table(row):
    if not any(isinstance(value, dict) for value in row.values()):
        row = {"": row}
    columns = list(next(iter(row.values())))
    yield "| | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, values in row.items():
        yield f"| {name} | " + " | ".join(str(values[column]) for column in columns) + " |"


def notes(run):
    """What the checkpoint folder of a run says about it."""
    settings = json.loads((Path(run) / "run.json").read_text())
    log = [json.loads(line) for line in (Path(run) / "log.jsonl").read_text().splitlines()]
    return settings | {"images seen": f"{log[-1]['seen']:,}", "minutes": log[-1]["minutes"]}
