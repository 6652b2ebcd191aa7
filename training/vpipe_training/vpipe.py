# SPDX-License-Identifier: Apache-2.0
"""Asks the `vpipe` program for networks: graphs, initial weights, and whether what came out of training loads."""
import os
import shutil
import subprocess
import zlib
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from .graph import Graph

_ROOT = Path(__file__).resolve().parents[2]


def program():
    """The program to run: $VPIPE, then this checkout's last build, then the one in $PATH."""
    built = [path for kind in ("release", "debug") if (path := _ROOT / ".build" / kind / "vpipe").exists()]
    built.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for candidate in [os.environ.get("VPIPE"), *map(str, built), shutil.which("vpipe")]:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise SystemExit("no vpipe program: build it with 'make build', or name it in the variable VPIPE")


def run(*arguments):
    """Runs `vpipe ARGUMENTS` and returns what it printed."""
    done = subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"vpipe {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def initial_weights(network, variant, seed, folder):
    """The path of reproducible random weights; made once in a folder."""
    path = Path(folder) / f"{network}_{variant}_{seed}.safetensors"
    if not path.exists():
        run("models", "init", network, "--variant", variant, "--seed", seed, "--output", path)
    return path


def network_of(weights):
    """The network that a weights file says it is for."""
    with safe_open(str(weights), "pt") as file:
        return (file.metadata() or {}).get("network")


def shared_weights(given, initial, folder, names):
    """The path of initial weights in which every tensor that `given` has by name and shape is replaced by its own.

    `names`: layers that are called otherwise in `given`.
    """
    state, other = load_file(str(initial)), load_file(str(given))
    theirs = {name: name for name in state}
    for ours, layer in names.items():
        theirs |= {name: layer + name[len(ours):] for name in state if name.startswith(ours + ".")}
    shared = {name: other[theirs[name]].to(value) for name, value in state.items()
              if theirs[name] in other and other[theirs[name]].shape == value.shape}
    if not shared:
        raise SystemExit(f"{given}: shares no tensor with {Path(initial).stem}")
    print(f"{len(shared)} of {len(state)} tensors from {given}", flush=True)
    path = Path(folder) / f"{Path(initial).stem}_from_{Path(given).stem}.safetensors"
    save(state | shared, path)
    return path


def save(tensors, path, metadata=None):
    """Writes a weights file, whole or not at all, with the permissions that the user's other new files have."""
    part = Path(path).with_name(f"part-{os.getpid()}-{Path(path).name}")
    save_file(tensors, str(part), metadata)
    umask = os.umask(0)  # reading it means setting it
    os.umask(umask)
    os.chmod(part, 0o666 & ~umask)
    os.replace(part, path)


def parameter_names(weights):
    """Names of the tensors of a weights file."""
    with safe_open(str(weights), "pt") as file:
        return list(file.keys())


def export(network, variant, size, weights, path, training):
    """Writes an ONNX file; with `training`, batch normalisations as layers and every head."""
    command = ["models", "export", network, "--variant", variant, "--size", f"{size[0]}x{size[1]}"]
    run(*command, "--weights", weights, "--output", path, *(["--training"] if training else []))
    return path


def record(network, variant, weights):
    """Adds to a weights file what vpipe knows of it: counts, sizes, pre-processing, checksum."""
    part = Path(weights).with_name("part.safetensors")
    run("models", "export", network, "--variant", variant, "--weights", weights, "--output", part)
    os.replace(part, weights)


def load(network, variant, size, weights, folder, outputs=None):
    """The network at an input size (width, height) as a trainable module that holds `weights`.

    The graph is made once in a folder for all weights of the same layout: a folder that holds it needs no program.
    """
    state = {name: value.float() for name, value in load_file(str(weights)).items()}
    layout = ",".join(f"{name}{tuple(value.shape)}" for name, value in sorted(state.items()))
    path = Path(folder) / f"{network}_{variant}_{size[0]}x{size[1]}_{zlib.crc32(layout.encode()):08x}.onnx"
    if not path.exists():
        export(network, variant, size, weights, path, training=True)
    graph = Graph(path, list(state), outputs)
    graph.load_state_dict(state)
    return graph
