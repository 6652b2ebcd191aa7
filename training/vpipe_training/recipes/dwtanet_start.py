# SPDX-License-Identifier: Apache-2.0
"""Where DWTA-Net's training starts.

Each stage adds what it computes to its input, and computes it through fewer channels (24 or 32 in size S) than a 4x4
square has numbers (48). Noise fills all 48, clean pictures only a few: so a stage can take away at most what fits, and
has to find a subspace of noise first. From random kernels that takes thousands of steps, in which large first updates
mostly kill the rectifiers. So the layers start on it: `E0` reads the least principal components of clean squares, which
are almost pure noise when they are not small, `R1` subtracts them; `S0` and `S3` do the same with the next ones. A few
channels read the greatest components, the picture itself, for what is to be learnt. Each component is taken away in the
share that Wiener's filter would, `noise^2 / (noise^2 + signal^2)`.
"""
import numpy as np
import torch

CELL = 4
OFFSET = 0.4  # keeps a component that is passed through inside the rectifier's linear half


def components(videos, photos, seed, count=4000):
    """Principal components of clean 4x4 RGB squares [48, 48] and their standard deviations [48], least first."""
    rng, squares = np.random.default_rng(seed), []
    frames = [frame for video in videos for frame in video[:: max(1, len(video) // 50)]] + list(photos)
    for _ in range(count):
        frame = frames[rng.integers(len(frames))]
        y, x = (int(rng.integers(side - CELL + 1)) for side in frame.shape[:2])
        squares.append(frame[y:y + CELL, x:x + CELL].transpose(2, 0, 1).ravel() / 255.0)
    squares = np.array(squares)
    variances, vectors = np.linalg.eigh(np.cov(squares.T))
    deviations = np.sqrt(np.maximum(variances, 0))
    return torch.from_numpy(vectors.T.astype(np.float32).copy()), torch.from_numpy(deviations.astype(np.float32))


@torch.no_grad()
def enhancer(model, basis, signal, major=5, noise=0.1):
    """Stage I as a filter of the least components, for noise of this standard deviation."""
    encode, fuse, restore, last = (model.get_submodule(name) for name in ("E0", "F", "R0", "R1"))
    channels, restored = encode.bias.shape[0], restore.bias.shape[0]
    minor = channels - major
    chosen = torch.cat([basis[:minor], 0.25 * basis[-major:].flip(0)])
    encode.weight.mul_(0.01)
    encode.weight[:, :, 1, 1] += chosen
    # Greatest components are centred on a picture of mean 0.5.
    encode.bias.copy_(torch.cat([torch.full((minor,), OFFSET), 2 * OFFSET - 0.5 * chosen[minor:].sum(1)]))
    fuse.weight.mul_(0.1)
    fuse.weight[:channels] *= 0.2
    fuse.weight[range(channels), range(channels), 0, 0] += 1
    fuse.bias.fill_(0.1)
    fuse.bias[:channels] = 0
    model.get_submodule("U").weight.mul_(0.1)
    for block in model.get_submodule("V").children():
        for layer in ("out", "w2"):
            block.get_submodule(layer).weight.mul_(0.3)
        for axis in ("row", "col"):
            _time_scales(block.get_submodule(axis).get_submodule("dt").bias)
    restore.weight.mul_(0.02)
    restore.weight[channels:] *= 25
    restore.weight[range(channels), range(channels), 1, 1] += 1
    restore.bias.zero_()
    restore.bias[channels:] = 0.1
    assert restored >= channels
    _subtract(last, basis[:minor], _wiener(signal[:minor], noise))


@torch.no_grad()
def refiner(model, basis, signal, major=4, noise=0.002):
    """Stage II as a cautious filter of the blend's components after those of stage I: more would blur what is sharp."""
    read, last = model.get_submodule("S0"), model.get_submodule("S3")
    first = model.get_submodule("E0").bias.shape[0] - 5
    count = read.bias.shape[0] - major
    square = basis.shape[0]
    read.weight.mul_(0.005)
    read.weight[:count, square:2 * square, 0, 0] += basis[first:first + count]
    read.bias.fill_(0.1)
    read.bias[:count] = OFFSET
    for name in ("S1", "S2"):
        model.get_submodule(f"{name}.1").weight.mul_(0.01)
    _subtract(last, basis[first:first + count], _wiener(signal[first:first + count], noise))


def _subtract(layer, basis, share):
    """A 3x3 layer whose middle takes a share of each component away; they come in with an offset."""
    taken = share[:, None] * basis
    layer.weight.normal_(std=1e-4)
    layer.weight[:, :len(basis), 1, 1] -= taken.T
    layer.bias.copy_(OFFSET * taken.sum(0))


def _wiener(signal, noise):
    return noise**2 / (noise**2 + signal**2)


def _time_scales(bias, shortest=1e-3, longest=1e-1):
    """Gates spread evenly over time scales, as state-space models start."""
    gate = torch.exp(torch.linspace(np.log(shortest), np.log(longest), len(bias)))
    bias.copy_(torch.log(gate / (1 - gate)))
