"""A classifier is exported by training it again: the recorded one bit for bit, or refused."""

import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.grids import small_grid
from safetensors.numpy import load as load_arrays
from safetensors.torch import load_file

from synaug_ray import export
from synaug_ray.classifiers.models import build
from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.load import load
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.runs import exporting_classifier
from synaug_ray.runs.exporting_classifier import choose_trial
from synaug_ray.runs.status import read_run_status


@pytest.fixture(scope="module")
def run(small_run, tmp_path_factory):
    storage = tmp_path_factory.mktemp("export") / "s"
    shutil.copytree(small_run, storage, copy_function=os.link)
    return storage / "small"


def ask(capsys, *words):
    code = export.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("generator", [(), ("--generator", "edm")])
def test_the_weights_predict_what_was_recorded(run, tmp_path, capsys, generator):
    code, out, err = ask(
        capsys, run, "--classifier", "mlp", "--num-real", 20, *generator, "--draw", 1, "--out", tmp_path / "x",
        "--data", tmp_path / "cache",
    )  # fmt: skip
    assert code == 0, err
    assert "bit for bit" in out
    about = json.loads((tmp_path / "x" / "classifier.json").read_text())
    assert about["trained_on"]["generator"] == ("edm" if generator else None) and about["trained_on"]["draw"] == 1
    status = read_run_status(str(run))
    recorded = load_arrays(
        status.store.read(status.store.record("trial", about["trial_key"]), "predictions.safetensors")
    )
    test = load(status.plan.data, tmp_path / "cache").test
    net = build(ClassifierRecipe.model_validate(about["recipe"]), tuple(about["shape"]), len(about["classes"]), 0)
    net.load_state_dict(load_file(tmp_path / "x" / "classifier.safetensors"))
    with torch.no_grad():
        said = net.eval()(torch.from_numpy(np.array(test.images)).float() / 127.5 - 1).argmax(1).numpy()
    assert (said == recorded["predicted"]).mean() > 0.99  # other batches round otherwise
    assert "Error on the test images" in (tmp_path / "x" / "README.md").read_text()


def test_another_classifier_than_the_recorded_one_is_refused(run, tmp_path, capsys, monkeypatch):
    again = exporting_classifier.train_with_weights

    def other(*args):
        outcome, weights = again(*args)
        outcome.predicted[:3] += 1
        return outcome, weights

    monkeypatch.setattr(exporting_classifier, "train_with_weights", other)
    code, _, err = ask(
        capsys, run, "--classifier", "mlp", "--num-real", 20, "--out", tmp_path / "x", "--data", tmp_path / "cache"
    )
    assert code == 3 and "3 of 600 predictions differ" in err and not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (("--classifier", "mpl", "--num-real", 20), "no trial with --classifier mpl"),
        (("--classifier", "mlp", "--num-real", 21), "There are: 20, 40"),
        (("--classifier", "mlp", "--num-real", 20, "--draw", 9), "no trial with --draw 9"),
        (("--classifier", "mlp", "--num-real", 20, "--generator", "edmm"), "no trial with --generator edmm"),
        (("--num-real", 20), "--generator G (its images) or --classifier C"),
    ],
)
def test_what_is_not_there_is_told(run, tmp_path, capsys, words, said):
    code, _, err = ask(capsys, run, *words, "--out", tmp_path / "x")
    assert code == 2 and said in err


def test_the_protocol_is_chosen_by_its_name():
    """Without a generator it is real-only training: neither a check of its length nor a control in two stages."""
    spec = small_grid(generators=["jitter"], synthetic_multiples=[1], protocols=["mixed", "bridged"])
    plan = make_plan(spec, DataIdentity("digits", "fp"))
    (name,) = {r.cell.classifier.name for r in plan.rows}
    asked = (SimpleNamespace(plan=plan), name, plan.rows[0].cell.num_real)

    def protocol(generator, wanted=None):
        return choose_trial(*asked, generator, 0, 0, None, None, wanted).cell.protocol

    assert protocol(None) == "real-only" and protocol(None, "real-then-real") == "real-then-real"
    assert protocol("jitter", "bridged") == "bridged" and protocol("jitter", "mixed") == "mixed"
    with pytest.raises(
        UsageProblem, match=r"several protocols were tried \(mixed, bridged\); name one with --protocol"
    ):
        protocol("jitter")
    with pytest.raises(UsageProblem, match="no trial with --protocol bridgd.*Did you mean 'bridged'"):
        protocol("jitter", "bridgd")
