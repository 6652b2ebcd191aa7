# SPDX-License-Identifier: Apache-2.0
"""The face detectors' losses: hard-negative cross entropy, boxes, landmarks, and distillation."""
import torch
import torch.nn.functional as F

from ..anchors import BACKGROUND, FACE


def hard_negative_mining(loss, labels, ratio, least=8):
    """Online hard example mining: all faces, and per image the `ratio` times as many worst background anchors."""
    positive = labels == FACE
    candidates = torch.where(labels == BACKGROUND, loss.detach(), torch.full_like(loss, -1.0))
    rank = candidates.argsort(1, descending=True).argsort(1)
    wanted = (ratio * positive.sum(1, keepdim=True)).clamp(min=least)
    return positive | ((rank < wanted) & (labels == BACKGROUND))


def multi_task(boxes, logits, landmarks, batch, ratio=7):
    """RetinaFace's loss [N, A, .]: face or not, box, five points where they are known."""
    labels = batch["labels"]
    positive = (labels == FACE).float()
    count = positive.sum().clamp(min=1)
    entropy = F.cross_entropy(logits.flatten(0, 1), (labels == FACE).long().flatten(), reduction="none")
    entropy = entropy.view(labels.shape)
    chosen = hard_negative_mining(entropy, labels, ratio).float()
    parts = {"class": 0.5 * (entropy * chosen).sum() / count,
             "box": (F.smooth_l1_loss(boxes, batch["boxes"], reduction="none").sum(-1) * positive).sum() / count}
    if landmarks is not None:
        known = positive * batch["has_points"]
        error = F.smooth_l1_loss(landmarks, batch["points"], reduction="none").sum(-1)
        parts["points"] = 0.3 * (error * known).sum() / known.sum().clamp(min=1)
    return parts


def distilled(boxes, logits, landmarks, teacher_boxes, teacher_logits, teacher_landmarks):
    """Divergence of face probabilities over the teacher's mass; boxes and points where it sees a face."""
    given = logits[..., 1] - logits[..., 0]
    face = torch.sigmoid(teacher_logits[..., 1] - teacher_logits[..., 0])
    entropy = torch.special.entr(face) + torch.special.entr(1 - face)
    divergence = F.binary_cross_entropy_with_logits(given, face, reduction="none") - entropy
    weight = torch.where(face > 0.1, face, torch.zeros_like(face))

    def error(a, b):
        return (F.smooth_l1_loss(a, b, reduction="none").sum(-1) * weight).sum() / weight.sum().clamp(min=1)

    return {"teacher_class": 2 * divergence.sum() / face.sum().clamp(min=1),
            "teacher_box": error(boxes, teacher_boxes), "teacher_points": 0.5 * error(landmarks, teacher_landmarks)}


def found_by_teacher(boxes, logits, found, ratio=7):
    """The loss against a teacher's finds: each as much of a face as its score says. For anchors other than the teacher's."""
    labels, scores = found["labels"], found["scores"]
    given = logits[..., 1] - logits[..., 0]
    entropy = torch.special.entr(scores) + torch.special.entr(1 - scores)
    divergence = F.binary_cross_entropy_with_logits(given, scores, reduction="none") - entropy
    chosen = hard_negative_mining(divergence, labels, ratio).float()
    count = scores.sum().clamp(min=1)
    return {"teacher_class": 0.5 * (divergence * chosen).sum() / count,
            "teacher_box": (F.smooth_l1_loss(boxes, found["boxes"], reduction="none").sum(-1) * scores).sum() / count}
