# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from vpipe_training.data.degrade import TO_LINEAR, Exposure, auto_gain, degrade, to_srgb
from vpipe_training.data.flow import Flow
from vpipe_training.data.lowlight import LowLightClips
from vpipe_training.losses import lowlight as losses
from vpipe_training.metrics.lowlight import WarpingError, compare
from vpipe_training.recipes.dwtanet import keeping_colours
from vpipe_training.temporal import history_weight, noise_level
from vpipe_training.warp import resize_flow, warp


def exposure(**changes):
    clear = dict(light=0.1, full_well=1e9, read=0.0, cast=np.ones(3), banding=(0.0, 0.0), has_field=False, jpeg=0)
    return Exposure(**clear | changes)


def textured(rng, frames=3, size=64):
    import cv2

    coarse = rng.integers(20, 236, (size // 8, size // 8, 3)).astype(np.uint8)
    return np.repeat(cv2.resize(coarse, (size, size))[None], frames, 0)


def test_transfer_function_there_and_back():
    assert np.abs(to_srgb(TO_LINEAR) * 255 - np.arange(256)).max() < 0.06


def test_without_noise_the_input_is_the_target(rng):
    noisy, target = degrade(textured(rng), rng, exposure())
    # What is left is 8-bit storage of the dark clip, under the gain, and the flicker of 2 %.
    assert -10 * np.log10(np.mean((noisy - target) ** 2)) > 30


@pytest.mark.parametrize("light", [0.3, 0.03])
def test_exposure_is_normalised(rng, light):
    clip = textured(rng)
    noisy, target = degrade(clip, rng, exposure(light=light, full_well=2000, read=1e-3))
    assert abs(auto_gain(TO_LINEAR[(target * 255).astype(np.uint8)]) - 1) < 0.2
    assert noisy.shape == target.shape == clip.shape


def test_samples_depend_on_the_index_alone(rng):
    clips = [LowLightClips([textured(rng.__class__(rng.bit_generator.__class__(3)), 8)], [], 3, 32, 1, clean_flow=True)
             for _ in range(2)]
    a, b = clips[0][(7, 0.3)], clips[1][(7, 0.3)]
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert a["input"].shape == (3, 3, 32, 32) and a["clean_flow"].shape == a["flow"].shape == (3, 2, 32, 32)


def test_warp_by_whole_pixels_is_exact():
    x, flow = torch.rand(1, 3, 24, 32), torch.zeros(1, 2, 24, 32)
    flow[:, 0], flow[:, 1] = 3, -2
    warped, inside = warp(x, flow)
    assert torch.allclose(warped[..., 2:, :-3], x[..., :-2, 3:], atol=1e-5)
    assert inside[..., 2:, :-3].min() == 1 and inside[..., :2, :].max() == 0
    assert torch.allclose(resize_flow(flow, (12, 16)), flow[..., ::2, ::2] / 2)


def test_flow_follows_a_shift(rng):
    wide = textured(rng, 1, 96)[0].astype(np.float32) / 255
    flow = Flow()(wide[10:74, 12:76], wide[10:74, 10:74])
    assert abs(np.median(flow[0]) - 2) < 0.2 and abs(np.median(flow[1])) < 0.2


def test_history_is_believed_where_only_noise_differs():
    torch.manual_seed(1)
    clean, noise = torch.full((1, 3, 64, 64), 0.5), 0.05
    estimate = clean + noise * torch.randn_like(clean)
    assert noise_level(estimate).item() == pytest.approx(noise * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5, rel=0.1)
    ones = torch.ones(1, 1, 64, 64)
    history = clean.clone()
    history[..., 32:] += 0.4  # another scene
    weight, age = history_weight(estimate, history, ones, 9 * ones)
    assert weight[..., :24].mean() > 5 * weight[..., 40:].mean()
    assert age[..., 40:].max() == 1
    assert history_weight(estimate, clean, 0 * ones, ones)[0].max() == 0


def test_texture_map_tells_texture_from_flat():
    image = torch.full((1, 3, 32, 32), 0.5)
    image[..., ::2, 16:] = 0.9
    found = losses.texture_map(image)
    assert found[..., 4:-4, 20:].min() > 0.9 and found[..., 4:-4, :12].max() < 0.1


def test_losses_and_figures_are_best_for_the_truth(rng):
    clip = textured(rng, 4)
    target = list(torch.from_numpy(clip).permute(0, 3, 1, 2).float()[:, None] / 255)
    torch.manual_seed(1)
    noisy = [t + 0.05 * torch.randn_like(t) for t in target]
    assert losses.frame_loss(noisy[0], target[0]) > losses.frame_loss(target[0], target[0])
    assert losses.ssim(target[0], target[0]) == pytest.approx(1)
    warping = WarpingError(target)
    right, wrong = compare(target, target, warping, 0), compare(noisy, target, warping, 0)
    assert right["psnr"] > wrong["psnr"] == pytest.approx(26, abs=0.6)
    assert right["warping_error"] < wrong["warping_error"]


def test_corrections_keep_the_mean_colour_of_a_cell():
    squares = torch.nn.functional.pixel_shuffle(keeping_colours(torch.randn(48, 5)).T.reshape(5, 48, 1, 1), 4)
    assert squares.shape == (5, 3, 4, 4) and squares.abs().max() > 0.1
    assert squares.mean((2, 3)).abs().max() < 1e-6
