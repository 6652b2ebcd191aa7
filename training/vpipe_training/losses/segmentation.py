# SPDX-License-Identifier: Apache-2.0
"""DDRNet's loss: cross entropy of the hard pixels, on the main and an auxiliary head."""
import math

import torch
import torch.nn.functional as F

IGNORED = 255


def ohem_cross_entropy(logits, target, threshold=0.9, least=1 / 16):
    """Mean over pixels whose true class has a probability below `threshold`, at least a share `least` of the valid ones."""
    loss = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="none").flatten()
    valid = (target != IGNORED).flatten()
    loss = loss[valid]
    if not loss.numel():
        return logits.sum() * 0
    with torch.no_grad():
        count = max(1, int(loss.numel() * least))
        floor = torch.topk(loss, count).values[-1].clamp(max=-math.log(threshold))
    return loss[loss >= floor].mean()


def main_and_auxiliary(main, auxiliary, target, share=0.4):
    """Both heads' logits are enlarged to the labels' size."""
    def loss(logits):
        return ohem_cross_entropy(F.interpolate(logits.float(), target.shape[-2:], mode="bilinear"), target)

    return {"main": loss(main), "auxiliary": share * loss(auxiliary)}


def softened(logits, probabilities, known):
    """Divergence from given probabilities [N, C, h, w] where they are `known` [N, h, w], cell by cell of the network's output."""
    wanted = probabilities / probabilities.sum(1, keepdim=True).clamp(min=1e-6)
    given = F.log_softmax(logits.float(), 1)
    divergence = (torch.special.entr(wanted).neg() - wanted * given).sum(1)
    return (divergence * known).sum() / known.sum().clamp(min=1)


def distilled(logits, teacher, temperature=2.0):
    """Divergence from a teacher's classes, pixel by pixel."""
    given, wanted = (F.log_softmax(x.float() / temperature, 1) for x in (logits, teacher))
    return F.kl_div(given, wanted, log_target=True, reduction="none").sum(1).mean() * temperature**2
