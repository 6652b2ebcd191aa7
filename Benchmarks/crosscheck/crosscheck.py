# SPDX-License-Identifier: Apache-2.0
"""Runs every network of `vpipe models list` in OpenVINO f32 and in ONNX Runtime, and compares the outputs.

Each network is exported with initial weights (`--random-seed`), checked with the onnx checker, and run on the same random
input by both engines. A difference is relative to the largest number of its output.

An output that ends in a softmax is compared before it: initial weights give logits of hundreds, of which e^x makes much of
the last bit.
"""
import argparse, pathlib, subprocess, sys, tempfile

import numpy as np
import onnx
import onnxruntime
import openvino


def networks(vpipe):
    """Name and variant of each line of `vpipe models list`, the heading left out."""
    lines = subprocess.run([vpipe, "models", "list"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split()[:2] for line in lines[1:]]


def export(vpipe, network, variant, size, path):
    command = [vpipe, "models", "export", network, "--variant", variant, "--random-seed", "1", "--output", path]
    return subprocess.run(command + (["--size", size] if size else []), capture_output=True, text=True)


def uncover_logits(model):
    """Makes what goes into a final softmax the output in its place."""
    makers = {name: node for node in model.graph.node for name in node.output}
    for port in model.graph.output:
        maker = makers[port.name]
        if maker.op_type == "Softmax":
            port.name = maker.input[0]
            model.graph.node.remove(maker)


def inputs(model, random):
    """Bytes after the usual normalisations for images, -1...1 for the rest."""
    made = {}
    for port in model.graph.input:
        shape = [d.dim_value for d in port.type.tensor_type.shape.dim]
        span = 128 if len(shape) == 4 and shape[1] == 3 else 1
        made[port.name] = random.uniform(-span, span, shape).astype(np.float32)
    return made


def openvino_f32(path, feed):
    core = openvino.Core()
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled(feed)
    return {output.any_name: result[output] for output in compiled.outputs}


def onnx_runtime(path, feed):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed)))


def difference(a, b):
    if a.shape != b.shape:
        return float("inf")
    gap, scale = np.abs(a.astype(np.float64) - b).max(), np.abs(a).max()
    return 0.0 if gap == 0 else float(gap / scale) if scale > 0 and np.isfinite(gap) else float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vpipe", default=".build/release/vpipe")
    parser.add_argument("--size", help="input size for all networks, as 256x256; each network's own otherwise")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--only", help="one network")
    options = parser.parse_args()
    print(f"OpenVINO {openvino.__version__} f32 against ONNX Runtime {onnxruntime.__version__}")
    worst, skipped = 0.0, 0
    for network, variant in networks(options.vpipe):
        if options.only and network != options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder) / "model.onnx")
            made = export(options.vpipe, network, variant, options.size, path)
            if made.returncode != 0:
                skipped += 1
                print(f"{network:12} {variant:22} skipped: {made.stderr.strip()}")
                continue
            model = onnx.load(path)
            onnx.checker.check_model(model, full_check=True)
            uncover_logits(model)
            onnx.save(model, path)
            feed = inputs(model, np.random.default_rng(1))
            ours, theirs = openvino_f32(path, feed), onnx_runtime(path, feed)
            for name in theirs:
                found = difference(theirs[name], ours[name])
                worst = max(worst, found)
                shape = "x".join(map(str, theirs[name].shape))
                verdict = "ok" if found <= options.tolerance else "TOO FAR"
                print(f"{network:12} {variant:22} {name:16} {shape:18} {found:9.2e}  {verdict}", flush=True)
    print(f"largest relative difference {worst:.2e}, tolerance {options.tolerance:g}, {skipped} networks skipped")
    sys.exit(worst > options.tolerance or skipped > 0)


if __name__ == "__main__":
    main()
