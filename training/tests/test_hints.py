# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from vpipe_training import hints, vpipe
from vpipe_training.hints import Hints, feature_loss
from vpipe_training.recipes import RECIPES

CASES = [("mlsd", "tiny", 64), ("retinaface", "mobilenet0.25", 64)]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: c[0])
def pair(request, tmp_path_factory):
    """A student and a teacher of other random weights, their recipe and an input."""
    network, variant, side = request.param
    folder, recipe = tmp_path_factory.mktemp(network), RECIPES[network]
    student, teacher = (
        vpipe.load(network, variant, (side, side), vpipe.initial_weights(network, variant, seed, folder), folder,
                   recipe.outputs) for seed in (1, 2))
    x = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(3))
    return student.train(), teacher.eval(), recipe, x


def test_loss_is_in_units_of_the_teachers_variance():
    teacher = torch.randn(4, 3, 16, 16) * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1) + 5
    mean = teacher.mean((0, 2, 3), keepdim=True).expand_as(teacher)
    assert float(feature_loss(teacher, teacher)) == 0
    assert float(feature_loss(mean, teacher)) == pytest.approx(1, abs=0.01)


def test_a_silent_channel_does_not_blow_the_loss_up():
    teacher = torch.cat([torch.randn(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)], 1)
    assert float(feature_loss(teacher + 0.1, teacher)) < 1


def test_hints_are_taken_before_the_activation(pair):
    student, teacher, recipe, x = pair
    made = Hints(student, teacher, recipe.body, recipe.neck, True)
    values = student([made.pairs[name][0] for name in made.all], image=x)
    assert all(float(value.detach().min()) < 0 for value in values.values())


def test_aligned_layers_have_the_teachers_mean_and_spread(pair):
    student, teacher, recipe, x = pair
    made = Hints(student, teacher, recipe.body, recipe.neck, True)
    made.align(x)
    with torch.no_grad():
        ours, theirs = (graph([made.pairs[name][side] for name in made.all], image=x)
                        for side, graph in enumerate((student, teacher)))
    for name in made.all:
        a, b = ours[made.pairs[name][0]], theirs[made.pairs[name][1]]
        assert torch.allclose(a.mean((0, 2, 3)), b.mean((0, 2, 3)), atol=0.05 * float(b.std())), name
        assert torch.allclose(a.std((0, 2, 3)), b.std((0, 2, 3)), rtol=0.1, atol=0.05 * float(b.std())), name


def test_the_body_is_alone_first_and_hints_fade(pair):
    student, teacher, recipe, x = pair
    made = Hints(student, teacher, recipe.body, recipe.neck, True)
    found, wanted, parts = made.run(recipe.outputs, x, 0.0)
    assert found is None and wanted is None and len(parts) == len(recipe.body)
    found, wanted, parts = made.run(recipe.outputs, x, hints.ALONE)
    assert set(recipe.outputs) <= set(found) and set(recipe.outputs) <= set(wanted) and len(parts) == len(made.all)
    assert all(float(part.detach()) == 0 for part in made.run(recipe.outputs, x, 1.0)[2].values())


def test_a_start_from_weights_skips_the_body(pair):
    student, teacher, recipe, x = pair
    found, _, _ = Hints(student, teacher, recipe.body, recipe.neck, False).run(recipe.outputs, x, 0.0)
    assert found is not None


def test_a_teacher_of_another_layout_gives_no_hints(pair):
    student, teacher, recipe, x = pair
    found, wanted, parts = Hints(student, teacher, (), (), True).run(recipe.outputs, x, 0.0)
    assert found is not None and wanted is not None and parts == {}
