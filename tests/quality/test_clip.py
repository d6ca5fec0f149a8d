"""The filter by sentences: kept is what a CLIP model of transformers itself gives more than the threshold."""

import json
import shutil

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from helpers.grids import small_grid

pytest.importorskip("transformers", reason="a clip filter needs the package transformers")
from helpers.tiny_clip import clip_model, of_sentences, planted, prepared, saved, tokenizer

from synaug_ray.analysis.seen_before import seen_before
from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.common.keys import content_key
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.data.audit.checks import problems
from synaug_ray.data.images import ImageSet, concatenate
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.plan import make_plan
from synaug_ray.quality import clip as clips
from synaug_ray.quality.clip import open_clip, own_class
from synaug_ray.quality.filters import by_text
from synaug_ray.runs.tables import measurements
from synaug_ray.store.store import Store

HUB = f"owner/name@{40 * '0'}"
CLASSES = tuple(str(k) for k in range(10))
SENTENCES = [f"a photo of a {name}" for name in CLASSES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("clip"), clip_model())


def recipe(folder, **more):
    return FilterRecipe.model_validate({"family": "clip", "name": "by-text", "weights": folder} | more)


def likely(model, images):
    """Softmax over the classes, by transformers' own forward pass, float64 [N, K]."""
    asked = tokenizer()(SENTENCES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        given = {"input_ids": asked["input_ids"], "attention_mask": asked["attention_mask"]}
        logits = model(pixel_values=prepared(images), **given).logits_per_image.double().numpy()
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def by_hand(own, labels, limit):
    """The first half of each class above the limit; where there are fewer, the best of the others too."""
    found = []
    for label in range(10):
        mine = np.flatnonzero(labels == label)
        half = len(mine) - len(mine) // 2
        above = [i for i in mine if own[i] > limit][:half]
        rest = sorted((i for i in mine if own[i] <= limit), key=lambda i: -own[i])
        found += above + rest[: half - len(above)]
    return np.sort(found)


@pytest.mark.parametrize("threshold", [None, 0.099, 0.15])
def test_kept_is_what_is_above_the_threshold(folder, pools, threshold):
    pool = pools["holdout"].take(np.arange(300))
    own = likely(clip_model(), pool.images)[np.arange(300), pool.labels]
    filters = recipe(folder, threshold=threshold)
    scores = own_class(filters, CLASSES, DEVICE)
    np.testing.assert_allclose(np.exp(scores(pool)), own, atol=2e-6)
    limit = threshold or 0.1
    assert abs(own - limit).min() > 1e-6 and 0 < (own > limit).sum() < 300
    wanted = by_hand(own, pool.labels, limit)
    assert np.array_equal(by_text(filters, scores, 10)(pool, len(wanted)), wanted)
    assert np.array_equal(by_text(filters, scores, 10)(pool, 7), wanted[:7])


def test_a_share_of_each_class_that_is_least_likely_goes(folder, pools):
    pool = pools["holdout"].take(np.arange(300))
    own = likely(clip_model(), pool.images)[np.arange(300), pool.labels]
    filters = recipe(folder, share=0.25)
    assert filters.rule == "share" and not filters.halves and filters.num_raw(75) == 100
    kept = by_text(filters, own_class(filters, CLASSES, DEVICE), 10)(pool, 300)
    for label in range(10):
        mine = np.flatnonzero(pool.labels == label)
        left = mine[np.argsort(own[mine])[int(0.25 * len(mine)) :]]
        assert np.array_equal(kept[pool.labels[kept] == label], np.sort(left))


def test_an_image_is_looked_at_once(folder, pools, monkeypatch):
    scores, seen = own_class(recipe(folder), CLASSES, DEVICE), []
    whole = clips.Clip.log_probabilities
    monkeypatch.setattr(clips.Clip, "log_probabilities", lambda s, x, t: seen.append(len(x)) or whole(s, x, t))
    pool = pools["holdout"].take(np.arange(50))
    first = scores(pool.take(np.arange(30)))
    assert np.array_equal(scores(pool)[:30], first) and seen == [30, 20]
    scores(ImageSet(pool.images, (pool.labels + 1) % 10))  # another label is another question
    assert seen == [30, 20, 50]


def test_what_knows_the_classes_rejects_shuffled_labels(tmp_path, digits, pools):
    """A planted model: fitted to real digits, its sentences where their classes are."""
    weights = saved(tmp_path, planted(digits.train.images, digits.train.labels, SENTENCES))
    held = ImageSet(digits.val.images, digits.val.labels)
    wrong = ImageSet(digits.test.images[:150], (digits.test.labels[:150] + 3) % 10)
    pool = concatenate(held, wrong).take(np.random.default_rng(0).permutation(len(held) + 150))
    right = {image.tobytes() for image in held.images}
    filters = recipe(weights)
    wanted = sum(n - n // 2 for n in np.bincount(pool.labels, minlength=10))
    kept = by_text(filters, own_class(filters, CLASSES, DEVICE), 10)(pool, wanted)
    share = np.mean([pool.images[i].tobytes() in right for i in kept])
    assert len(held) / len(pool) < 0.6 and share > 0.9


def test_several_sentences_are_averaged(folder, tmp_path):
    file = tmp_path / "sentences.json"
    file.write_text(json.dumps({name: [f"a {name}", f"one {name} more"] for name in CLASSES}))
    filters = recipe(folder, prompts=str(file))
    found = open_clip(filters).of_texts(filters.sentences(CLASSES)).numpy()
    model = clip_model()
    for k, name in enumerate(CLASSES):
        with torch.inference_mode():
            two = model.text_projection(of_sentences(model, [f"a {name}", f"one {name} more"])).numpy()
        mean = (two / np.linalg.norm(two, axis=1, keepdims=True)).mean(0)
        np.testing.assert_allclose(found[k], mean / np.linalg.norm(mean), atol=1e-6)
    assert filters.key != recipe(folder).key
    assert recipe(folder, words=["zero", *CLASSES[1:]]).sentences(CLASSES)[0] == ("a photo of a zero",)


def test_its_key_is_of_content_and_those_of_other_filters_stay(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert recipe(str(moved)).key == recipe(folder, name="other").key
    (moved / "config.json").write_text((moved / "config.json").read_text() + "\n")
    assert recipe(str(moved)).key != recipe(folder).key
    others = [recipe(folder, **way) for way in ({"threshold": 0.2}, {"share": 0.2}, {"prompt": "one {label}"})]
    assert len({recipe(folder).key, *(other.key for other in others)}) == 4
    plain = FilterRecipe(name="confident", family="unconfident", share=0.3)
    assert plain.key == content_key({"family": "unconfident", "share": 0.3})
    for one in (recipe(folder), *others):
        assert FilterRecipe.model_validate(one.model_dump(mode="json")) == one


def test_arms_stand_in_tables_with_what_their_filter_has_seen(folder, digits, digits_identity, tmp_path):
    """Without real images too: it compares with none of these."""
    given = {"family": "clip", "name": "by-text", "weights": folder}
    spec = small_grid(
        generators=["real-holdout"], filters=["none", given], num_real=[20, 0], num_synthetic=[40], synthetic_multiples=[0],
        draws=1, blocks=[], protocols=["synthetic-only"],
    )  # fmt: skip
    assert any("other images and texts" in note for note in grid_warnings(spec))
    plan, context = make_plan(spec, digits_identity), WorkerContext(Store(str(tmp_path)), digits, Machine())
    for step in (*plan.generators.values(), *plan.shards.values()):
        attempt(context, step)
    of = {(row.cell.arm, row.cell.num_real): row.trial for row in plan.rows}
    for n in (20, 0):
        trial = of["real-holdout+by-text", n]
        raw = context.pool(trial.pool, trial.num_raw)
        own = likely(clip_model(), raw.images)[np.arange(len(raw)), raw.labels]
        assert np.array_equal(context.chosen(trial), by_hand(own, raw.labels, 0.1)[:40])
    seen = seen_before(measurements(spec, plan, context.store))
    assert list(seen.generators) == ["real-holdout+by-text"]
    assert "The filter of real-holdout+by-text has seen other images and texts" in seen.notes()[0]


def test_sentences_must_be_of_the_classes(folder, digits, digits_identity, told):
    given = {"family": "clip", "name": "by-text", "weights": folder, "words": ["zero", "one"]}
    plan = make_plan(small_grid(filters=[given]), digits_identity)
    (found,) = problems(plan, digits)
    told([str(found)])
    assert (found.code, found.place) == ("filter-classes", "filters")


def test_what_cannot_be_used_is_told(folder, tmp_path, monkeypatch):
    moved = shutil.copytree(folder, tmp_path / "moved")
    filters = recipe(str(moved))
    (moved / "model.safetensors").write_bytes(b"no weights")
    clips._content.cache_clear()
    with pytest.raises(DataProblem, match="is missing or has changed") as caught:
        open_clip(filters)
    assert caught.value.messages[0].code == "weights-changed"
    with pytest.raises(DataProblem, match="cannot be used as a CLIPModel") as caught:
        open_clip(recipe(str(moved)))
    assert caught.value.messages[0].code == "weights-unusable"
    monkeypatch.setattr(clips, "why_not_installed", lambda name: "which is not installed")
    with pytest.raises(UsageProblem, match=r"pip install '\.\[text\]'"):
        open_clip(recipe(folder))


def test_a_network_of_another_kind_is_no_clip(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel

    small = CLIPTextConfig(
        hidden_size=8, intermediate_size=8, num_attention_heads=2, num_hidden_layers=1, vocab_size=20
    )
    saved(tmp_path, CLIPTextModel(small))
    with pytest.raises(DataProblem, match="of its weights are not in the file"):
        open_clip(recipe(str(tmp_path)))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"family": "clip", "name": "x"}, "no-weights"),
        ({"family": "clip", "name": "x", "weights": "/no/such"}, "no-such-weights"),
        ({"family": "clip", "name": "x", "weights": "owner/name"}, "no-such-weights"),
        ({"family": "clip", "name": "x", "weights": HUB, "threshold": 0.2, "share": 0.2}, "threshold-and-share"),
        ({"family": "clip", "name": "x", "weights": HUB, "threshold": 1}, "out-of-range"),
        ({"family": "clip", "name": "x", "weights": HUB, "prompt": "a photo"}, "prompt-without-label"),
        ({"family": "clip", "name": "x", "weights": HUB, "prompts": "/no/such.json"}, "no-such-prompts"),
        ({"family": "clip", "name": "x", "weights": 3}, "not-text"),
        ({"family": "copies", "name": "x", "weights": HUB}, "not-of-this-filter"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else "",
)
def test_a_wrong_filter_is_told(values, code, told):
    with pytest.raises(UsageProblem) as caught:
        small_grid(filters=["none", values])
    told(caught.value.sentences)
    assert [(m.code, m.place.partition(": ")[2][:10]) for m in caught.value.messages] == [(code, "filters[1]")]
