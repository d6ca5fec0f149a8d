"""Features of a network trained elsewhere: timm's own, refused where weights are not whole, in every look and table."""

import json

import numpy as np
import pytest
import timm
import torch
import yaml
from helpers.grids import small_grid
from pydantic import ValidationError
from safetensors.torch import save_file

from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.load import load_grid
from synaug_ray.data.images import ImageSet
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.plan import make_plan
from synaug_ray.quality.pretrained_features import open_space
from synaug_ray.runs.quality_table import for_the_page, qualities
from synaug_ray.store.store import Store

TINY = "test_vit"  # 370,000 weights, 64 features; drawn at random, since nothing is downloaded


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A model.safetensors as the hub has them: timm's names, head included."""
    file = tmp_path_factory.mktemp("tiny") / "model.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model(TINY, pretrained=False).state_dict(), file)
    return str(file)


def test_features_are_those_of_timm(weights):
    """At the network's own size nothing is scaled but pixels; grey counts as colour."""
    space = open_space(FeatureRecipe(name="tiny", model=TINY, weights=weights))
    rng = np.random.default_rng(0)
    colour = ImageSet(rng.integers(0, 256, (3, 3, 160, 160), dtype=np.uint8), np.zeros(3, np.int64))
    net = timm.create_model(TINY, pretrained=False, num_classes=0, checkpoint_path="").eval()
    from safetensors.torch import load_file

    net.load_state_dict({k: v for k, v in load_file(weights).items() if not k.startswith("head.")})
    config = timm.data.resolve_data_config({}, model=net)
    mean, std = (torch.tensor(config[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.inference_mode():
        expected = net((torch.tensor(colour.images).float() / 255 - mean) / std).numpy()
    assert expected.shape == (3, 64)
    np.testing.assert_allclose(space.features(colour), expected, atol=1e-4)
    grey = ImageSet(colour.images[:, :1], colour.labels)
    tripled = ImageSet(np.repeat(grey.images, 3, axis=1), colour.labels)
    np.testing.assert_allclose(space.features(grey), space.features(tripled), atol=1e-5)


def test_small_images_are_scaled_to_what_is_asked_for(weights):
    space = open_space(FeatureRecipe(name="tiny", model=TINY, weights=weights, size=64))
    assert space.size == (64, 64)
    assert space.features(ImageSet(np.zeros((2, 1, 8, 8), np.uint8), np.zeros(2, np.int64))).shape == (2, 64)


@pytest.mark.parametrize(
    "change,said",
    [
        (
            {"weights": ""},
            "needs `weights:`, a path; give model.safetensors of huggingface.co/timm/test_vit",
        ),
        ({"weights": "/nowhere/model.safetensors"}, "'/nowhere/model.safetensors' is not a file"),
        ({"weights": __file__}, "is not a .safetensors file, and pickles are not read"),
        ({"weights": "/"}, "'/' is not a file"),
        ({"content": 12345}, "valid string"),
        ({"content": {"a": 1}}, "valid string"),
        ({"model": None}, "valid string"),
    ],
)
def test_what_a_grid_alone_shows_is_refused_with_it(weights, change, said):
    with pytest.raises(ValidationError) as caught:
        FeatureRecipe.model_validate({"name": "tiny", "model": TINY, "weights": weights} | change)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "value,said",
    [
        ("dino2", "unknown preset 'dino2'. Did you mean 'dinov2'? Available: dinov2, inception"),
        ({"preset": "dinov2"}, "dinov2 needs `weights:`, a path; give model.safetensors of huggingface.co/"),
        ({"preset": "dinov2", "sise": 3, "weights": "given"}, "unknown key 'sise'. Did you mean 'size'? Allowed: "),
        ({}, "name: missing"),
    ],
)
def test_a_mistake_in_a_grid_is_one_sentence(value, said, weights, tmp_path):
    value = value | {"weights": weights} if "given" in str(value) else value
    raw = small_grid().resolved() | {"quality_features": [value]}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(UsageProblem) as caught:
        load_grid(tmp_path / "grid.yaml", [])
    assert any(said in sentence for sentence in caught.value.sentences), caught.value.sentences
    assert "no-preset" not in str(caught.value.sentences) and "None" not in str(caught.value.sentences)


@pytest.mark.parametrize(
    "model,problem,said",
    [
        ("test_vitt", UsageProblem, "timm has no 'test_vitt'. Did you mean 'test_vit'?"),
        ("test_vit.nope", UsageProblem, "timm has no 'test_vit.nope'. Did you mean"),
        ("test_resnet", DataProblem, "of its weights are not in the file"),
    ],
)
def test_what_needs_the_network_is_refused_before_anything_starts(weights, model, problem, said):
    with pytest.raises(problem) as caught:
        open_space(FeatureRecipe(name="tiny", model=model, weights=weights))
    assert said in str(caught.value)


def test_weights_that_were_changed_since_are_refused(weights, tmp_path):
    moved = tmp_path / "model.safetensors"
    moved.write_bytes(open(weights, "rb").read())
    recipe = FeatureRecipe(name="tiny", model=TINY, weights=str(moved))
    assert recipe.key == FeatureRecipe(name="other", model=TINY, weights=weights).key  # wherever it lies
    link = tmp_path / "snapshots" / "model.safetensors"  # the hub's cache: a name that links to a bare digest
    link.parent.mkdir()
    (tmp_path / "blob").write_bytes(moved.read_bytes())
    link.symlink_to(tmp_path / "blob")
    assert open_space(FeatureRecipe(name="tiny", model=TINY, weights=str(link))).size == (160, 160)
    moved.write_bytes(b"something else")
    with pytest.raises(DataProblem, match="is missing or has changed .*; put it there, or where all nodes can read"):
        open_space(recipe)
    again = FeatureRecipe.model_validate(recipe.model_dump())  # as `status` reads it, which needs no weights
    assert again == recipe


@pytest.mark.integration  # takes 5 s
def test_every_look_and_table_has_them_beside_our_own(weights, digits, digits_identity, tmp_path):
    """Held-out real images are as far from real ones as chance has it; noise over them is farther."""
    features = [{"name": "tiny", "model": TINY, "weights": weights, "size": 64}]
    plain = small_grid(
        generators=["real-holdout", {"preset": "jitter", "name": "noisy", "noise": 3.0}],
        num_real=[160],
        draws=1,
        blocks=[],
        quality_draws=1,
    )
    spec = plain.model_validate(plain.resolved() | {"quality_features": features})
    plan, before = make_plan(spec, digits_identity), make_plan(plain, digits_identity)
    assert plan.trials.keys() == before.trials.keys() and not plan.qualities.keys() & before.qualities.keys()
    context = WorkerContext(Store(str(tmp_path)), digits, Machine())
    for step in (*plan.generators.values(), *plan.shards.values(), *plan.qualities.values()):
        attempt(context, step)
    assert not context.store.failed("quality")
    table = qualities(plan, context.store).set_index("generator")
    assert 0.8 < table.loc["real-holdout", "coverage_tiny"] <= 1  # 0.97 for two sets of one kind
    assert table.loc["noisy", "coverage_tiny"] < 0.5
    assert table.loc["noisy", "kernel_tiny"] > 2 * abs(table.loc["real-holdout", "kernel_tiny"])
    assert table["kernel_tiny"].notna().all() and (table["kernel_tiny"] != table["kernel"]).all()
    page = for_the_page(table.reset_index())
    assert "kernel distance, tiny" in page["columns"] and all(len(r) == len(page["columns"]) for r in page["rows"])
    json.dumps(page)
