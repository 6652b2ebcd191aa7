# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from vpipe_training.data import line_targets, lines, scenes
from vpipe_training.losses import lines as losses
from vpipe_training.metrics import lines as metrics

SEGMENTS = np.float32([[10, 12, 90, 20], [30, 100, 34, 40], [100, 100, 120, 118]])


def perfect_logits(segments, size):
    """Logits that say exactly what the target says."""
    target = line_targets.encode(segments, size)
    logits = np.nan_to_num(target)
    for channel in (0, 1, 2, 7):
        logits[channel] = np.where(target[channel] > 0, 9.0, -9.0)
    return torch.from_numpy(logits)


def test_targets_decode_to_the_segments():
    found = metrics.decode(perfect_logits(SEGMENTS, 128), length=5)
    assert len(found) == len(SEGMENTS)
    assert metrics.distance(found[:, :4], SEGMENTS).min(0).max() < 1e-3


def test_sol_pieces_overlap_by_half_and_cover_the_segment():
    pieces = line_targets.split_sol(SEGMENTS[:1], 128)
    assert len(pieces) > 1
    assert np.allclose(pieces[0, :2], SEGMENTS[0, :2]) and np.allclose(pieces[-1, 2:], SEGMENTS[0, 2:], atol=1e-3)
    middles = (pieces[:-1, :2] + pieces[:-1, 2:]) / 2
    assert np.allclose(middles, pieces[1:, :2], atol=1e-3)


def test_losses_are_least_where_the_logits_are_right():
    logits = perfect_logits(SEGMENTS, 128)[None]
    target = torch.from_numpy(line_targets.encode(SEGMENTS, 128))[None]
    right = losses.supervised(logits, target)
    wrong = losses.supervised(logits + torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)), target)
    assert sum(wrong.values()) > sum(right.values())
    assert right["tp_displacement"] < 1e-6 and right["tp_centre"] < 1e-2


def test_either_order_of_ends_is_right():
    given = torch.tensor([-3.0, 0, 3, 0]).view(1, 4, 1, 1)
    turned, weight = given[:, [2, 3, 0, 1]], torch.ones(1, 1, 1)
    assert losses.displacement_loss(given, turned, weight) == 0
    assert losses.displacement_loss(given, turned, weight, either_order=False) > 0


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 100.0), (1.0, 100.0), (30.0, 0.0)])
def test_structural_ap(shift, expected):
    truth = SEGMENTS / 2
    found = np.concatenate([truth + np.float32(shift), np.float32([[0.9], [0.8], [0.7]])], 1)
    assert metrics.structural_ap([(found, truth)])["sAP5"] == expected


def test_duplicates_count_as_false():
    truth, twice = SEGMENTS[:1], np.concatenate([SEGMENTS[[0, 0, 1]], np.float32([[0.9], [0.8], [0.7]])], 1)
    assert metrics.structural_ap([(twice, SEGMENTS[:2])])["sAP5"] == pytest.approx(100 * (0.5 + 0.5 * 2 / 3), abs=0.01)
    assert metrics.structural_ap([(twice[:2], truth)])["sAP5"] == 100


def test_cut_segments_stay_on_their_line_and_inside():
    segments = np.float32([[-50, 50, 150, 60], [10, 10, 20, 20], [-30, -30, -10, -10]])
    cut = lines.clip(segments, 100)
    assert len(cut) == 2 and cut.min() >= 0 and cut.max() <= 99
    assert np.allclose(cut[0, [1, 3]], 50 + (cut[0, [0, 2]] + 50) / 20, atol=1e-3)


def test_scenes_are_the_same_for_the_same_seed():
    (a, p), (b, q) = (scenes.scene(np.random.default_rng(4), 96) for _ in range(2))
    assert np.array_equal(a, b) and np.array_equal(p, q)
    assert len(p) and p.min() >= -1 and p.max() <= 97


def test_recall_counts_wanted_lines_with_a_found_one_near():
    wanted = np.float32([[0, 0, 100, 0], [0, 50, 100, 50]])
    found = np.float32([[100, 1, 0, 1, 0.9], [0, 60, 100, 60, 0.8]])  # the first turned round and a pixel off
    assert metrics.recall([(found, wanted)]) == 50
    assert metrics.recall([(found[:0], wanted)]) == 0
