# SPDX-License-Identifier: Apache-2.0
"""M-LSD's losses: centres, displacements, matching, and the geometric ones (junctions, lines, length and angle).

Maps are float32 logits [N, 16, h, w]; targets as `data.line_targets` makes them, or a teacher's logits.
"""
import torch
import torch.nn.functional as F

from ..data.line_targets import CENTRE, DISPLACEMENT, GEOMETRY, JUNCTION, LINE

WEIGHTS = {"centre": 1.0, "displacement": 0.2, "match": 0.1, "geometry": 1.0}
KINDS = {"sol": 0.5, "tp": 1.0}  # segments of line, whole segments


def supervised(logits, target):
    """Losses against exact maps."""
    parts = {}
    for kind, share in KINDS.items():
        displacement, geometry = logits[:, DISPLACEMENT[kind]], logits[:, GEOMETRY[kind]]
        wanted, shape = target[:, DISPLACEMENT[kind]], target[:, GEOMETRY[kind]]
        weight = (~torch.isnan(wanted[:, 0])).float()
        parts |= _sum(kind, share, {
            "centre": centre_loss(logits[:, CENTRE[kind]], target[:, CENTRE[kind]]),
            "displacement": displacement_loss(displacement, wanted, weight),
            "match": match_loss(displacement, wanted, weight),
            "geometry": geometry_loss(geometry, shape, weight)})
    parts["junction"] = 0.3 * balanced_cross_entropy(logits[:, JUNCTION], target[:, JUNCTION])
    parts["line"] = 0.3 * balanced_cross_entropy(logits[:, LINE], target[:, LINE], 1.0)
    return parts


def distilled(logits, teacher):
    """Losses against the maps of another network, where it sees centres."""
    parts, soft = {}, torch.sigmoid(teacher)
    for kind, share in KINDS.items():
        centre = soft[:, CENTRE[kind]]
        weight = torch.where(centre > 0.03, centre, torch.zeros_like(centre)).sqrt()
        weight = torch.maximum(weight, 0.5 * F.max_pool2d(weight[:, None], 3, 1, 1)[:, 0])
        displacement, wanted = logits[:, DISPLACEMENT[kind]], teacher[:, DISPLACEMENT[kind]]
        parts |= _sum(kind, share, {
            "centre": 3 * soft_cross_entropy(logits[:, CENTRE[kind]], centre),
            "displacement": displacement_loss(displacement, wanted, weight, either_order=False),
            "match": match_loss(displacement, wanted, weight),
            "geometry": geometry_loss(logits[:, GEOMETRY[kind]], soft[:, GEOMETRY[kind]], weight)})
    parts["junction"] = 0.3 * soft_cross_entropy(logits[:, JUNCTION], soft[:, JUNCTION])
    parts["line"] = 0.3 * soft_cross_entropy(logits[:, LINE], soft[:, LINE])
    return parts


def centre_loss(logits, target, negative=30.0):
    """Cross entropy of centres and of what is not beside one, each averaged by itself."""
    near = F.max_pool2d(target[:, None], 3, 1, 1)[:, 0] > 0
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    positive = (target > 0).float()
    return _mean(loss, positive) + negative * _mean(loss, (~near).float())


def balanced_cross_entropy(logits, target, negative=30.0):
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    positive = (target > 0).float()
    return _mean(loss, positive) + negative * _mean(loss, 1 - positive)


def soft_cross_entropy(logits, probability):
    """Divergence from a teacher's probabilities, over the teacher's mass."""
    entropy = torch.special.entr(probability) + torch.special.entr(1 - probability)
    loss = F.binary_cross_entropy_with_logits(logits, probability, reduction="none") - entropy
    return loss.sum() / probability.sum().clamp(min=1)


def displacement_loss(given, wanted, weight, either_order=True):
    """Smooth L1 of both ends, in the order that fits better; `weight` [N, h, w]."""
    wanted = torch.nan_to_num(wanted)
    loss = F.smooth_l1_loss(given, wanted, reduction="none").sum(1)
    if either_order:
        turned = F.smooth_l1_loss(given, wanted[:, [2, 3, 0, 1]], reduction="none").sum(1)
        loss = torch.minimum(loss, turned)
    return _mean(loss, weight)


def match_loss(given, wanted, weight, radius=5.0):
    """Ends and middle of the predictions that already lie within `radius` map pixels of the truth."""
    difference = given - torch.nan_to_num(wanted)
    start, end = difference[:, :2].square().sum(1), difference[:, 2:].square().sum(1)
    matched = weight * ((start < radius**2) & (end < radius**2))
    middle = (given[:, :2] + given[:, 2:]).abs().sum(1) / 2
    return 0.5 * _mean(difference.abs().sum(1) + middle, matched)


def geometry_loss(logits, wanted, weight):
    """Length and angle."""
    loss = F.smooth_l1_loss(torch.sigmoid(logits), torch.nan_to_num(wanted), reduction="none")
    return _mean(loss.sum(1), weight)


def _mean(values, weight):
    return (values * weight).sum() / weight.sum().clamp(min=1)


def _sum(kind, share, parts):
    return {f"{kind}_{name}": share * WEIGHTS[name] * value for name, value in parts.items()}
