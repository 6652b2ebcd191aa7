# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from vpipe_training import hints, vpipe
from vpipe_training.data import generated
from vpipe_training.hints import Hints, feature_loss
from vpipe_training.recipes import RECIPES
from vpipe_training.recipes.base import Options

CASES = [("mlsd", "tiny"), ("mlsd", "large"), ("retinaface", "mobilenet0.25")]
SIDE = 64


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request, tmp_path_factory):
    """A recipe with its student, a teacher of other random weights, and an input."""
    network, variant = request.param
    folder = tmp_path_factory.mktemp(network)
    recipe = RECIPES[network](Options(variant=variant, size=SIDE, folder=folder))
    teacher = recipe.graph(vpipe.initial_weights(network, variant, 2, folder), (SIDE, SIDE)).eval()
    recipe.model.train()
    return recipe, teacher, torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def made(case, is_fresh=True):
    recipe, teacher, _ = case
    return Hints(recipe.model, teacher, recipe.body, recipe.neck, is_fresh)


def test_loss_is_in_units_of_the_teachers_variance():
    teacher = torch.randn(4, 3, 16, 16) * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1) + 5
    mean = teacher.mean((0, 2, 3), keepdim=True).expand_as(teacher)
    assert float(feature_loss(teacher, teacher)) == 0
    assert float(feature_loss(mean, teacher)) == pytest.approx(1, abs=0.01)


def test_a_silent_channel_does_not_blow_the_loss_up():
    teacher = torch.cat([torch.randn(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)], 1)
    assert float(feature_loss(teacher + 0.1, teacher)) < 1


def test_every_hint_is_a_layer_taken_before_its_activation(case):
    recipe, _, x = case
    pairs = made(case).pairs
    assert set(pairs) == {*recipe.body, *recipe.neck}
    with torch.no_grad():
        values = recipe.model([ours for ours, _ in pairs.values()], image=x)
    assert all(float(value.min()) < 0 for value in values.values())


def test_layers_that_one_lacks_are_left_out(case):
    recipe, teacher, _ = case
    kept = Hints(recipe.model, teacher, ("nowhere", recipe.body[0]), ("nowhere",), True)
    assert kept.all == kept.body == [recipe.body[0]]


def test_aligned_layers_have_the_teachers_mean_and_spread(case):
    recipe, teacher, x = case
    aligned = made(case)
    aligned.align(x)
    with torch.no_grad():
        ours, theirs = (graph([pair[side] for pair in aligned.pairs.values()], image=x)
                        for side, graph in enumerate((recipe.model, teacher)))
    for name, (first, second) in aligned.pairs.items():
        a, b = ours[first], theirs[second]
        assert torch.allclose(a.mean((0, 2, 3)), b.mean((0, 2, 3)), atol=0.05 * float(b.std())), name
        assert torch.allclose(a.std((0, 2, 3)), b.std((0, 2, 3)), rtol=0.1, atol=0.05 * float(b.std())), name


def test_the_body_is_alone_first_and_hints_fade(case):
    recipe, _, x = case
    found, wanted, parts = made(case).run(recipe.outputs, x, 0.0)
    assert found is None and wanted is None and len(parts) == len(recipe.body)
    found, wanted, parts = made(case).run(recipe.outputs, x, hints.ALONE)
    assert set(recipe.outputs) <= set(found) and set(recipe.outputs) <= set(wanted)
    assert len(parts) == len(recipe.body) + len(recipe.neck)
    assert all(float(part.detach()) == 0 for part in made(case).run(recipe.outputs, x, 1.0)[2].values())


def test_a_start_from_weights_skips_the_body(case):
    assert made(case, is_fresh=False).run(case[0].outputs, case[2], 0.0)[0] is not None


def test_a_teacher_of_another_layout_gives_no_hints(case):
    recipe, teacher, x = case
    found, wanted, parts = Hints(recipe.model, teacher, (), (), True).run(recipe.outputs, x, 0.0)
    assert found is not None and wanted is not None and parts == {}


@pytest.mark.parametrize("network, kind", [("mlsd", "lines"), ("retinaface", "faces"), ("ssh", "faces")])
def test_recipes_learn_from_a_teacher(network, kind, tmp_path, rng):
    data = getattr(generated, kind)(tmp_path / "data", rng)
    teacher = vpipe.initial_weights("mlsd" if network == "mlsd" else "retinaface", RECIPES[network].variant, 2, tmp_path)
    recipe = RECIPES[network](Options({kind: [str(data)]}, size=96, teacher=str(teacher), folder=tmp_path))
    recipe.prepare()
    batch = recipe.collate([recipe.dataset[(i, 0.0)] for i in range(3)])
    first, later = (recipe.losses(recipe.model.train(), batch, progress) for progress in (0.0, 0.5))
    followed = {f"hint_{name}" for name in recipe.body}
    assert set(first) == followed if followed else "teacher_class" in first
    assert set(first) <= set(later) and len(later) > len(followed)
    for parts in (first, later):
        assert all(torch.isfinite(value) for value in parts.values())
        sum(parts.values()).backward()
