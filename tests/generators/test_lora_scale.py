"""By how much low-rank changes are applied, where images that did not train them choose."""

import json

import numpy as np
import pytest
import torch
from helpers.generator_files import write_files
from helpers.simulated_gpu import simulated_gpu

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.engine.counting import of_training
from synaug_ray.generators import edm, lora, lora_scale, registry
from synaug_ray.generators.diffusion import to_task
from synaug_ray.generators.lora_files import CLASSES
from synaug_ray.generators.lora_scale import SCALES, choose
from synaug_ray.training import loop
from synaug_ray.training.checkpoint import module_names
from synaug_ray.training.distributed import WHOLE, Split

CPU, SEED, OWN = torch.device("cpu"), 3, ("dark", "bright")
SHORT = {"nimg": 32, "batch": 8, "warmup_nimg": 8, "ema_half_life": 8}


def images(seed, count=16):
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8), np.arange(count) % 2)


@pytest.fixture(scope="module")
def base():
    recipe = EDMRecipe(name="base", channels=(8,), attention=(False,), **SHORT)
    return edm.train(recipe, images(0), OWN, SEED, CPU)[0]


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    return write_files(base.files(), tmp_path_factory.mktemp("base"))


def recipe_of(folder, **more):
    values = {
        "name": "own",
        "base": str(folder),
        "rank": 4,
        "alpha": 8.0,
        "class_ids": (0, 1),
        "validation_share": 0.25,
    }
    return LoraRecipe(**values | SHORT | more)


def train(recipe, subset=None, **more):
    return lora.train(recipe, images(1) if subset is None else subset, OWN, SEED, CPU, **more)


@pytest.fixture
def always(monkeypatch):
    """Lets a given share be chosen, whatever the images say."""

    def of(scale):
        losses = np.abs(np.subtract(SCALES, scale))[:, None] + np.zeros((1, 2))
        monkeypatch.setattr(lora_scale, "losses_of", lambda *_: losses)

    return of


def test_the_best_share_counts_unless_noise_explains_what_it_gains():
    """Losses of images that differ by what is planted, and by noise that is the same for all shares or is not."""
    rng = np.random.default_rng(0)
    hard = rng.normal(1, 0.5, 10)  # some images are harder than others, at every share
    for planted, expected in {
        (0.0, 0.1, 0.2, 0.3, 0.4): 0.0,
        (0.4, 0.3, 0.2, 0.1, 0.0): 1.0,
        (0.4, 0.1, 0.0, 0.1, 0.2): 0.5,
    }.items():
        found = choose(hard + np.array(planted)[:, None] + rng.normal(0, 1e-3, (5, 10)))
        assert found.scale == expected and found.images == 10
    better = np.array([0.3, -0.3, 0.3, -0.3, 0.02] * 2)  # on average by less than its own standard error
    found = choose(hard - np.outer((0, 0, 0, 0, 1), better))
    assert found.scale == 0 and found.losses[4] < found.losses[0] and found.errors[0] == 0 < found.errors[4]
    clearer = choose(
        hard - np.outer((0, 0, 0, 0.9, 1), better + 0.5)
    )  # three quarters are nearly as good, and no rival
    assert clearer.scale == 1 and clearer.errors[4] > clearer.losses[3] - clearer.losses[4]


def test_none_of_the_changes_is_the_base_bit_by_bit_and_all_are_those_of_one_training(folder, base, always):
    always(0)
    none, nimg = train(recipe_of(folder))
    theirs, adapter = base.net.state_dict(), json.loads(none.adapter["adapter_config.json"])
    assert (
        nimg == 32 and none.chosen.scale == 0 and adapter["lora_alpha"] == 0
    )  # a second training would be for nothing
    assert all(torch.equal(weight, theirs[name]) for name, weight in none.net.state_dict().items())
    always(1)
    full, plain = train(recipe_of(folder))[0], train(recipe_of(folder, validation_share=0.0))[0]
    assert plain.chosen is None and full.chosen.scale == 1
    assert {**full.files(), "synaug.json": b""} == {**plain.files(), "synaug.json": b""}


def test_a_share_of_the_changes_lies_between_the_base_and_all_of_them(folder, base, always):
    ends = []
    for scale in (0.5, 1):
        always(scale)
        ends.append(train(recipe_of(folder))[0].net.state_dict())
    for name, weight in base.net.state_dict().items():
        half, full = (end[name] for end in ends)
        assert torch.allclose(half, (weight + full) / 2, atol=1e-6), name
    random = train(recipe_of(folder, class_ids=()))[0].net.state_dict()
    always(0.5)
    half = train(recipe_of(folder, class_ids=()))[0].net.state_dict()
    assert torch.equal(half[CLASSES], random[CLASSES])  # they start at random, which is nothing to go back to
    layer = next(name for name in half if name.endswith("conv1.weight"))
    assert torch.allclose(half[layer], (base.net.state_dict()[layer] + random[layer]) / 2, atol=1e-6)


def test_the_first_training_never_sees_the_images_that_choose(folder, monkeypatch):
    seen, task = [], to_task(images(1), 2, SEED, CPU)

    def spy(net, recipe, of, *rest):
        seen.append(of.images)
        return backward(net, recipe, of, *rest)

    backward = edm.backward
    monkeypatch.setattr(edm, "backward", spy)
    losses = []
    monkeypatch.setattr(lora_scale, "losses_of", lambda *rest: losses.append(rest[2]) or np.eye(5, 4))
    train(recipe_of(folder, class_ids=()))
    first, second, held = seen[0], seen[-1], losses[0].images
    assert len(seen) == 8 and (len(first), len(held), len(second)) == (12, 4, 16)
    assert torch.equal(second, task.images) and losses[0].labels.bincount().tolist() == [2, 2]
    found = torch.cat([first, held]).flatten(1)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, task.images.flatten(1).tolist()))


def test_each_share_is_judged_by_the_loss_of_training_with_the_same_noise(folder, base):
    """Where nothing changes, all shares have one loss; it is that of the paper's formula."""
    recipe = recipe_of(folder, label_dropout=0.0, flip=False)
    unseen, start = to_task(images(5, 4), 2, SEED, CPU), base.net.get_parameter(CLASSES).detach()
    plain = lora.open_base(recipe, (1, 8, 8), 2)[0]
    lora.add_low_rank(plain, [plain.get_parameter(CLASSES)], recipe.rank, recipe.alpha)  # of zero
    found = lora_scale.losses_of(plain, recipe, unseen, start, base.sigma_data, WHOLE)
    assert found.shape == (5, 4) and np.ptp(found, axis=0).max() == 0
    halves = lora_scale.losses_of(plain, recipe, unseen, start, base.sigma_data, Split(parts=2))
    assert np.allclose(found, halves, rtol=1e-5)
    total = np.zeros(4)
    with torch.no_grad():
        for nimg in range(0, 32, 8):  # each image eight times
            batch = edm.drawn(recipe, unseen, nimg)
            sigma = batch.sigma.view(-1, 1, 1, 1)
            noisy = batch.images + sigma * batch.noise
            made = edm.denoise(base.net.eval(), noisy, batch.sigma, batch.labels[0], base.sigma_data)
            weight = (sigma**2 + base.sigma_data**2) / (sigma * base.sigma_data) ** 2
            error = (weight * (made - batch.images) ** 2).mean((1, 2, 3))
            np.add.at(total, batch.index.numpy(), error.numpy())
    assert np.allclose(found[0], total / 8, rtol=1e-5)


def test_killed_in_either_training_it_ends_with_the_same_bits(folder, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)
    states = []
    recipe = recipe_of(folder, class_ids=())
    whole, nimg = train(recipe, save=lambda state, at: states.append((at, state())))
    assert [at for at, _ in states] == [16, 32, 48, 64] and nimg == 64 == recipe.length(16)
    assert [lora_scale.NAME in module_names(state) for _, state in states] == [False, False, True, True]
    for _, state in states:
        again, seen = train(recipe, state=state)
        assert again.files() == whole.files() and seen == nimg


@pytest.mark.integration
def test_it_chooses_on_a_simulated_gpu(folder):
    with simulated_gpu():
        recipe = recipe_of(folder, class_ids=(), precision="bf16", micro_batch=4)
        made, nimg = lora.train(recipe, images(1), OWN, SEED, torch.device("cuda"))
    assert nimg == 64 and made.chosen.images == 4 and np.isfinite(made.chosen.losses).all()


def test_what_was_chosen_is_told_by_its_files_and_its_card(folder):
    files, nimg = registry.train(recipe_of(folder, class_ids=()), images(1), OWN, SEED, CPU)
    about, again = json.loads(files["synaug.json"])["chosen"], registry.from_files(files)
    assert again.chosen.scale == about["scale"] in SCALES and len(about["losses"]) == 5 and about["images"] == 4
    assert again.files() == {name: data for name, data in files.items() if name != "README.md"}
    assert f"{about['scale']:.0%} of its changes are applied" in files["README.md"].decode() and nimg == 64


def test_its_recipe(folder):
    plain, chosen = (recipe_of(folder, validation_share=share) for share in (0.0, 0.25))
    assert plain.key != chosen.key and "validation_share" in LoraRecipe.later
    assert recipe_of(folder, validation_share=0.0, schedule="constant").continues
    assert not recipe_of(folder, schedule="constant").continues
    assert (chosen.length(16), chosen.one_training(16).length(16)) == (64, 32)
    assert recipe_of(folder, max_passes=1).one_training(16).nimg == 16
    one, both = (of_training(r, (1, 8, 8), 2) for r in (plain, chosen))
    judged = 5 / 8 / 2 / 3  # of five shares by an eighth of one training's images, each a third of a training step
    assert both.flops == pytest.approx((1 + judged) * one.flops) and both.each == one.each
    with pytest.raises(ValueError, match="whose few images cannot choose"):
        recipe_of(folder, per_class=True)
    with pytest.raises(DataProblem, match="there is one of bright; raise num_real"):
        train(recipe_of(folder), images(1, 3))
