"""A batch in parts and among processes: every image once, the same network as from the whole batch, and in lockstep."""

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from synaug_ray.common.errors import PeerLost
from synaug_ray.config.generator_recipes import DDPMRecipe, EDMRecipe, GANRecipe, ViTGANRecipe
from synaug_ray.config.presets import SAMPLERS, sampler_of
from synaug_ray.data.subsets import Draws
from synaug_ray.generators import registry
from synaug_ray.plan.subset import Subset
from synaug_ray.training.distributed import Split

CPU = torch.device("cpu")
CLASSES = tuple("0123456789")
SMALL = {
    "edm": EDMRecipe(name="small", channels=(8, 16), nimg=7 * 12, batch=7, warmup_nimg=64, dropout=0.0),
    "ddpm": DDPMRecipe(name="small", channels=(8, 16), nimg=7 * 12, batch=7, warmup_nimg=64, dropout=0.0),
    "gan": GANRecipe(name="small", channels=(8, 16), nimg=7 * 12, batch=7),
    "vit-gan": ViTGANRecipe(name="small", width=16, depth=1, nimg=7 * 12, batch=7),
}


@pytest.fixture(scope="module")
def subset(digits, digits_identity):
    return digits.train.take(Draws(digits.train, 10).index(Subset(digits_identity, 30, 0)))


@pytest.mark.parametrize("batch", [1, 3, 32])
@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("most", [None, 2])
def test_every_image_of_a_batch_is_in_one_part_of_one_process(batch, parts, world, most):
    slices = [s for rank in range(world) for s in Split(parts, rank, world).slices(batch, most)]
    assert [i for s in slices for i in range(s.start, s.stop)] == list(range(batch))
    assert all(s.stop - s.start <= (most or batch) for s in slices)


def learn(rank, world, recipe, subset, folder):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    generator, _ = registry.family(recipe.family).train(
        recipe, subset, CLASSES, 1, CPU, split=Split(rank=rank, world=world)
    )
    torch.save(weights(generator), f"{folder}/{rank}.pt")
    np.save(f"{folder}/{rank}.npy", pool(recipe, generator))
    distributed.destroy_process_group()


def weights(generator):
    return generator.net.state_dict()


def pool(recipe, generator):
    """What the network does: weights that bear on nothing, as of a bias before a normalisation, drift with rounding."""
    sampler = sampler_of(recipe, SAMPLERS["dpmpp-8"]).model_copy(update={"batch": 8, "steps": 4})
    return generator.sample(sampler, range(16), 7, CPU).images.astype(int)


@pytest.mark.integration
@pytest.mark.parametrize("name", SMALL)
def test_two_processes_end_with_one_network(subset, tmp_path, name):
    """A batch of 7, so that their parts differ. A GAN's is another network than one process would have made: each draws
    latents of its own."""
    recipe = SMALL[name]
    multiprocessing.spawn(learn, (2, recipe, subset, str(tmp_path)), nprocs=2)
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    whole = pool(recipe, registry.family(name).train(recipe, subset, CLASSES, 1, CPU)[0])
    far = np.abs(np.load(tmp_path / "0.npy") - whole)
    assert far.max() > 2 if "gan" in name else far.max() <= 2, far.max()


def run_if_missing(rank, world, recipe, subset, states, folder):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    split = Split(rank=rank, world=world)
    generator, nimg = registry.family("edm").train(
        recipe, subset, CLASSES, 1, CPU, split.broadcast(states[rank]), split=split
    )
    torch.save(weights(generator) | {"nimg": torch.tensor(nimg)}, f"{folder}/{rank}.pt")


@pytest.mark.integration
def test_processes_that_find_different_checkpoints_go_on_from_the_first_ones(subset, tmp_path):
    """Another driver may replace a checkpoint between two looks at it; gradients of different networks would add up."""
    recipe, states = SMALL["edm"].model_copy(update={"nimg": 7 * 140}), []
    registry.family("edm").train(recipe, subset, CLASSES, 1, CPU, save=lambda state, nimg: states.append(state()))
    multiprocessing.spawn(run_if_missing, (2, recipe, subset, (states[0], None), str(tmp_path)), nprocs=2)
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(one[k], other[k]) for k in one) and one["nimg"] == 7 * 140


def abandon(rank, world, subset, folder):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)

    def die(state, nimg):
        if rank == 1:
            raise SystemExit(0)

    recipe = SMALL["edm"].model_copy(update={"nimg": 7 * 200})
    try:
        registry.family("edm").train(recipe, subset, CLASSES, 1, CPU, save=die, split=Split(rank=rank, world=world))
    except PeerLost as error:
        (folder / "said").write_text(str(error))


@pytest.mark.integration
def test_a_process_whose_companion_dies_is_told_so(subset, tmp_path):
    multiprocessing.spawn(abandon, (2, subset, tmp_path), nprocs=2)
    assert "2 processes train together, and one is lost" in (tmp_path / "said").read_text()
