# SPDX-License-Identifier: Apache-2.0
"""Hints (FitNets, Romero et al. 2015): features in the middle of a teacher, for a student of the same layout.

A hint is named by a layer's activation and taken before it: after it nothing tells a silent channel that it should speak.
"""
import torch

ALONE = 0.2  # share of a run in which the body follows the teacher and nothing else is learned
WEIGHT = 4.0  # of a hint at the start of a run; it falls to nothing


class Hints:
    """The layers of a student and its teacher that should say the same: first those of its body, then all.

    What one of them lacks is left out: variants of a network share some of their layers.
    """

    def __init__(self, student, teacher, body, neck, is_fresh):
        self.student, self.teacher = student, teacher
        self.body, others = ([name for name in names if student.has(name) and teacher.has(name)]
                             for names in (body, neck))
        self.all = [*self.body, *others]
        self.alone = ALONE if self.body and is_fresh else 0.0
        self.pairs = {name: (student.before_activation(name), teacher.before_activation(name)) for name in self.all}

    def run(self, outputs, x, progress):
        """Outputs of both graphs and the hints' losses as named parts; outputs are `None` while the body is alone."""
        names = self.all
        if progress < self.alone:
            outputs, names = [], self.body
        found = self.student([*outputs, *(self.pairs[name][0] for name in names)], image=x)
        with torch.no_grad():
            wanted = self.teacher.to(x.device)([*outputs, *(self.pairs[name][1] for name in names)], image=x)
        parts = {f"hint_{name}": WEIGHT * (1 - progress) * feature_loss(found[self.pairs[name][0]],
                                                                       wanted[self.pairs[name][1]])
                 for name in names}
        return (found, wanted, parts) if outputs else (None, None, parts)

    @torch.no_grad()
    def align(self, x):
        """Gives each hint's batch normalisation the mean and the spread that the teacher's channels have on a batch."""
        wanted = self.teacher([self.pairs[name][1] for name in self.all], image=x)
        for name in self.all:
            theirs, start = wanted[self.pairs[name][1]].float(), 0
            for scale, shift in self.student.normalisations(self.pairs[name][0]):
                part = theirs[:, start:start + len(shift)]
                scale.copy_(part.std((0, 2, 3)).clamp(min=1e-3))
                shift.copy_(part.mean((0, 2, 3)))
                start += len(shift)


def feature_loss(student, teacher):
    """Squared error of a map [N, C, h, w], every channel in units of its variance in the teacher."""
    student, teacher = student.float(), teacher.float()
    variance = teacher.var((0, 2, 3), keepdim=True)
    variance = torch.maximum(variance, 0.1 * variance.mean() + 1e-12)  # some channels hardly ever change
    return ((student - teacher).square() / variance).mean()
