"""The door: what it prints and returns for a run's folder, and every way to ask it wrongly."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray import predict
from synaug_ray.analysis.analyse import analyse


def helpful(n, s):
    return 1.2 * (n / 80) ** -0.6 * (1 - np.exp(-s / 2))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A learnt generator that helps and jitter that does nothing, analysed as a run is."""
    laws = {("edm", "proportional"): helpful, ("edm", "0.5"): helpful, ("jitter", "0.5"): nothing}
    measurements, predictions = simulate(Grid(power(), laws, draws=6, images=300), seed=1)
    amounts = measurements["num_synthetic"]
    measurements["generator_cost_seconds"] = np.where(amounts > 0, 36.0, 0.0)
    measurements["image_cost_seconds"] = np.where(amounts > 0, 0.01, 0.0)
    analysis = analyse(measurements, predictions, replicates=60)
    folder = tmp_path_factory.mktemp("runs") / "simulated"
    folder.mkdir()
    (folder / "laws.json").write_text(json.dumps(analysis.laws_json()))
    (folder / "verdict.json").write_text(json.dumps(analysis.verdict_json()))
    return folder


def ask(capsys, *words):
    code = predict.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_point_is_answered_in_sentences_for_the_learnt_generator(run, capsys):
    code, out, err = ask(capsys, run, "--real", 80, "--synthetic", 320)
    assert (code, err) == (0, "")
    assert "edm with mlp (mixed in proportion):" in out and "jitter" not in out
    assert "Expected error at 80 real and 320 synthetic images:" in out and "90% interval" in out
    assert "synthetic images for one real image on average" in out
    assert "Extrapolated" not in out


def test_json_holds_the_numbers_of_the_sentences_and_of_laws_json(run, capsys):
    code, out, _ = ask(capsys, run, "--real", 80, "--synthetic", 320, "--real-share", "proportional", "--json")
    (answer,) = json.loads(out)
    assert code == 0 and answer["cheapest"] is None
    laws = json.loads((run / "laws.json").read_text())
    study = next(s for s in laws["studies"] if (s["generator"], s["real_share"]) == ("edm", "proportional"))
    rate = next(e for e in study["exchange"] if (e["num_real"], e["num_synthetic"]) == (80, 320))
    expected = answer["expected"]
    # 320 lies between grid points: bilinear to within 3%.
    assert expected["average"]["value"] == pytest.approx(rate["average"]["value"], rel=0.03)
    cell = next(c for c in study["cells"] if (c["num_real"], c["num_synthetic"]) == (80, 320))
    assert expected["error"]["value"] == pytest.approx(cell["predicted_error"], rel=0.1)
    assert expected["error"]["low"] < expected["error"]["value"] < expected["error"]["high"]


def test_cheapest_mix_names_images_cost_and_what_collecting_alone_would_cost(run, capsys):
    words = (run, "--target-error", "10%", "--cost-real", 1, "--cost-synthetic", 0.01, "--real-share", "proportional")
    code, out, _ = ask(capsys, *words)
    assert code == 0 and "Cheapest mix for 10%:" in out and "Real images alone:" in out
    _, plain, _ = ask(capsys, *words, "--json")
    free = json.loads(plain)[0]["cheapest"]["mix"]
    _, plain, _ = ask(capsys, *words, "--cost-core-hour", 100, "--json")
    dear = json.loads(plain)[0]["cheapest"]["mix"]
    assert free["cost"] == pytest.approx(free["num_real"] + 0.01 * free["num_synthetic"])
    assert dear["cost"] > free["cost"]
    _, plain, _ = ask(capsys, *words, "--have", 50, "--json")
    owned = json.loads(plain)[0]["cheapest"]["mix"]
    assert owned["num_real"] >= 50 and owned["cost"] < free["cost"]


def test_the_chances_of_a_target_need_no_price(run, capsys):
    code, out, _ = ask(capsys, run, "--target-error", "12%", "--real", 100, "--real-share", "proportional")
    assert code == 0 and "Real images alone that reach 12%, with the chance that they do: " in out
    assert "With 100 real images alone the chance is " in out and "Cheapest mix" not in out
    words = (run, "--target-error", "12%", "--cost-real", 1, "--cost-synthetic", 0, "--real-share", "proportional")
    _, out, _ = ask(capsys, *words, "--penalty", 1_000_000, "--have", 50)
    assert (
        "With 50 real images alone the chance is" in out
        and "With a penalty of 1,000,000 for missing it: collect" in out
    )
    _, first, _ = ask(capsys, *words, "--penalty", 200, "--rounds", 2, "--json")
    _, plain, _ = ask(capsys, *words, "--json")
    plan = json.loads(first)[0]["collection"]
    assert plan["rounds"][0]["num_real"] >= plan["rounds"][0]["more"] >= 0 and plan["expected_cost"] > 0
    assert json.loads(plain)[0]["collection"] is None
    _, out, _ = ask(capsys, *words, "--penalty", 200, "--rounds", 2)
    assert "With a penalty of 200 for missing it and 2 rounds" in out and "Expected cost with the penalty: " in out
    numbers = [n for _, n in json.loads(plain)[0]["real_needed"] if n is not None]
    assert numbers == sorted(numbers) and numbers
    code, _, err = ask(capsys, run, "--real", 50, "--penalty", 5)
    assert code == 2 and "--penalty needs --target-error and --cost-real" in err


def test_a_target_out_of_reach_says_how_far_the_measured_range_goes(run, capsys):
    code, out, _ = ask(capsys, run, "--target-error", 0.001, "--cost-real", 1, "--cost-synthetic", 0)
    assert code == 0 and "No mix inside the measured range is expected to reach 0.1%: the lowest is" in out


NOTHING = {("edm", "0.5"): nothing, ("edm", "proportional"): nothing}


@pytest.fixture(scope="module")
def useless(tmp_path_factory):
    """Synthetic images that do nothing, from few draws: the laws may see a tiny gain, the verdicts do not."""
    folder = tmp_path_factory.mktemp("runs") / "useless"
    folder.mkdir()
    analysis = analyse(*simulate(Grid(power(), NOTHING, draws=3, images=200), seed=4), replicates=60)
    assert {v.outcome for v in analysis.verdicts} >= {"undecided"} and not any(
        v.outcome == "helps" for v in analysis.verdicts
    )
    (folder / "laws.json").write_text(json.dumps(analysis.laws_json()))
    (folder / "verdict.json").write_text(json.dumps(analysis.verdict_json()))
    return folder


@pytest.mark.parametrize("target", ["10%", "12%", "18%", "25%"])
@pytest.mark.parametrize("prices", [(1, 0), (100, 0.0001), (0.01, 1)])
def test_no_mix_is_recommended_that_the_verdicts_do_not_show(useless, capsys, target, prices):
    words = (useless, "--target-error", target, "--cost-real", prices[0], "--cost-synthetic", prices[1], "--have", 20)
    code, out, _ = ask(capsys, *words)
    assert code == 0
    for line in out.splitlines():
        if "Cheapest mix" in line:
            assert "and 0 synthetic images" in line
    assert "Synthetic images would only add" not in out or "no effect" in (useless / "verdict.json").read_text()
    _, plain, _ = ask(capsys, *words, "--json")
    for answer in json.loads(plain):
        mix = answer["cheapest"]["mix"]
        assert not mix or not mix["num_synthetic"] or answer["cheapest"]["not_recommended"]


def test_a_run_without_verdicts_recommends_no_mix(run, tmp_path, capsys):
    (tmp_path / "laws.json").write_bytes((run / "laws.json").read_bytes())
    words = (tmp_path, "--target-error", "10%", "--cost-real", 1, "--cost-synthetic", 0.01)
    assert "Not known yet: nothing was judged" in ask(capsys, *words)[1]


def test_collecting_is_not_advised_where_more_real_images_do_not_help(tmp_path, capsys):
    grid = Grid(power(b=0.3, c=0.0), {("edm", "0.5"): nothing}, sizes=(20, 40, 80), images=400)
    analysis = analyse(*simulate(grid, seed=2), replicates=60)
    (tmp_path / "laws.json").write_text(json.dumps(analysis.laws_json()))
    (tmp_path / "verdict.json").write_text(json.dumps(analysis.verdict_json()))
    _, out, _ = ask(capsys, tmp_path, "--target-error", "1%", "--cost-real", 1, "--cost-synthetic", 0)
    assert "More real images were not shown to help" in out and "Collect" not in out
    words = (tmp_path, "--target-error", "25%", "--cost-real", 1, "--cost-synthetic", 0, "--penalty", 1_000)
    _, out, _ = ask(capsys, *words)
    assert "How many to collect is not known" in out and "collect " not in out.replace("to collect", "")
    for have in (0, 20):
        words = (tmp_path, "--target-error", "30.5%", "--cost-real", 1, "--cost-synthetic", 1, "--have", have)
        _, out, _ = ask(capsys, *words)
        if "would do, but more real images are not shown to help" in out:
            assert "Not known yet: by the fitted curve" in out and "draws=6" in out
        assert "to collect" not in out.replace("How many to collect", "") and "Cheapest mix" not in out
        _, plain, _ = ask(capsys, *words, "--json")
        (answer,) = json.loads(plain)
        mix = answer["cheapest"]["mix"]
        assert mix is None or mix["num_real"] <= have or answer["cheapest"]["not_recommended"]


def test_outside_the_measured_range_is_said(run, capsys):
    _, out, _ = ask(capsys, run, "--real", 500, "--synthetic", 100)
    assert "Extrapolated: 500 real images are outside the 20 to 320 measured with synthetic images." in out
    _, out, _ = ask(capsys, run, "--real", 100_000)
    assert "not estimable: this run predicts up to 640 real images" in out
    _, out, _ = ask(capsys, run, "--real", 3)
    assert "not estimable: this run predicts from 10 real images on" in out
    _, out, _ = ask(capsys, run, "--real", 80, "--synthetic", 1_000_000)
    assert "predicts up to " in out and "synthetic images" in out and "(synthetic_multiples)" in out


def test_a_core_hour_alone_prices_a_point_and_stands_for_the_price_of_an_image(run, capsys):
    """Planted: 36 core-seconds to train a generator and 10 ms an image, so 39.2 s for 320."""
    code, out, _ = ask(capsys, run, "--real", 80, "--synthetic", 320, "--cost-core-hour", 100)
    assert code == 0
    assert float(out.partition("Cost: ")[2].partition(",")[0]) == pytest.approx(100 * 39.2 / 3600, rel=0.01)
    _, out, _ = ask(capsys, run, "--real", 80, "--cost-real", 2, "--have", 30)
    assert "Cost: 100." in out
    words = (run, "--target-error", "10%", "--real-share", "proportional", "--json")
    _, first, _ = ask(capsys, *words, "--cost-real", 1, "--cost-core-hour", 0.1)
    _, second, _ = ask(capsys, *words, "--cost-real", 1, "--cost-core-hour", 0.1, "--cost-synthetic", 0)
    assert json.loads(first) == json.loads(second)
    code, _, err = ask(capsys, run, "--target-error", "10%", "--cost-core-hour", 0.1)
    assert code == 2 and "--target-error needs --cost-real" in err and "--cost-synthetic" not in err


def test_all_mistakes_are_said_at_once(run, capsys):
    code, out, err = ask(capsys, run, "--real", 2.5, "--target-error", 12, "--cost-real", -1, "--have", "many")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 5
    for sentence in (
        "--real must be an integer >= 1, got 2.5",
        "did you mean 12%?",
        "--cost-real must not be negative, got -1",
        "--have 'many' is not a number",
        "--target-error needs --cost-synthetic",
    ):
        assert sentence in err


def test_at_0_real_images_only_what_was_measured_is_known(run, capsys):
    """Planted in laws.json, as a run with num_real 0 has it."""
    code, out, _ = ask(capsys, run, "--real", 0, "--synthetic", 320)
    assert code == 0 and "Not predicted: no law reaches 0 real images, and nothing was measured there" in out
    known = {"value": 0.1, "low": 0.08, "high": 0.12}
    at = {"classifier": "mlp", "generator": "edm", "num_real": 0, "num_synthetic": 320}
    laws = json.loads((run / "laws.json").read_text())
    saving = at | {
        "protocol": "synthetic-only",
        "real_share": "none",
        "error": known,
        "sentence": "It saves 90 labels.",
    }
    folder = run.parent / "without"
    shutil.copytree(run, folder)
    (folder / "laws.json").write_text(json.dumps(laws | {"label_savings": [saving]}))
    code, out, _ = ask(capsys, folder, "--real", 0, "--synthetic", 320, "--target-error", "10%")
    assert code == 0 and "Measured without real images: 10.00% (8.00 to 12.00)." in out and "It saves 90 labels." in out
    code, out, _ = ask(capsys, folder, "--real", 0, "--synthetic", 320, "--json")
    for answer in json.loads(out):
        assert answer["expected"] is None and answer["label_saving"] == saving
    code, _, err = ask(capsys, folder, "--real", 0)
    assert code == 2 and "--real must be an integer >= 1, got 0" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "give --real N"),
        (("--target-error", "10%", "--rounds", "2"), "--rounds needs --penalty"),
        (
            ("--target-error", "10%", "--cost-real", "1", "--penalty", "9", "--rounds", "21"),
            "--rounds must be at most 20",
        ),
        (
            ("--target-error", "10%", "--cost-real", "1", "--penalty", "9", "--rounds", "0"),
            "--rounds must be an integer",
        ),
        (("--synthetic", "5", "--target-error", "0.1", "--cost-real", "1", "--cost-synthetic", "1"), "needs --real"),
        (("--real", "50", "--have", "5"), "--have needs --cost-real"),
        (("--cost-core-hour", "5"), "--cost-core-hour needs --real N or --target-error E"),
        (("--real", "nan"), "'nan' is not a number"),
        (("--real", "50", "--generator", "jiter"), "Did you mean 'jitter'?"),
        (("--real", "50", "--generator", "jitter", "--real-share", "proportional"), "combines generator 'jitter' and"),
    ],
)
def test_wrong_words_are_refused(run, capsys, words, sentence):
    code, _, err = ask(capsys, run, *words)
    assert code == 2 and sentence in err and "Traceback" not in err


def test_no_run_no_laws_half_a_file_and_old_laws(tmp_path, capsys, run):
    assert ask(capsys, tmp_path / "none", "--real", 5)[0] == 2
    (tmp_path / "grid.yaml").write_text("dataset: digits\n")
    code, _, err = ask(capsys, tmp_path, "--real", 5)
    assert code == 4 and "has no laws.json" in err
    (tmp_path / "laws.json").write_text('{"studies": [')
    code, _, err = ask(capsys, tmp_path, "--real", 5)
    assert code == 5 and "half written" in err
    laws = json.loads((run / "laws.json").read_text())
    for study in laws["studies"]:
        del study["surface"]
    (tmp_path / "laws.json").write_text(json.dumps(laws))
    code, _, err = ask(capsys, tmp_path, "--real", 5)
    assert code == 4 and "older version" in err
    (tmp_path / "laws.json").write_text(json.dumps(laws | {"studies": []}))
    assert ask(capsys, tmp_path, "--real", 5)[0] == 4


def test_flat_curve_answers_the_error_and_no_rate(tmp_path, capsys):
    grid = Grid(power(b=0.3, c=0.0), {("edm", "0.5"): nothing}, sizes=(20, 40, 80), images=400)
    analysis = analyse(*simulate(grid, seed=2), replicates=100)
    (tmp_path / "laws.json").write_text(json.dumps(analysis.laws_json()))
    code, out, _ = ask(capsys, tmp_path, "--real", 40, "--synthetic", 40)
    assert code == 0
    error = float(out.partition("40 synthetic images: ")[2].partition("%")[0])
    assert 25 < error < 35
    why = "not estimable: more real images are not shown to help."
    assert f"Worth in real images: {why}" in out and f"Exchange rate: {why}" in out


def test_the_door_needs_neither_torch_nor_ray(run):
    code = (
        f"import sys; from synaug_ray.predict import main; assert main([{str(run)!r}, '--real', '40']) == 0; "
        "print(sorted({'torch', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_url_is_read_too(run, capsys):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/runs/simulated/laws.json", (run / "laws.json").read_bytes())
    assert ask(capsys, "memory://runs/simulated", "--real", 40)[0] == 0


@pytest.mark.slow
def test_it_ends_well_every_time(run, tmp_path):
    """Arrow's threads that hold a Python file end 1 process in 8 with SIGABRT when it exits (apache/arrow#34314)."""
    folder = shutil.copytree(run, tmp_path / "run")
    simulate(Grid(power(), {("edm", "0.5"): helpful}, images=20), seed=1)[0].to_parquet(folder / "measurements.parquet")
    command = [sys.executable, "-m", "synaug_ray.predict", str(folder), "--real", "80"]
    codes = [subprocess.run(command, capture_output=True).returncode for _ in range(40)]
    assert codes == [0] * 40
