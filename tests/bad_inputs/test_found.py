"""What the fuzzer has found, each once and for all: it ended in a traceback, or in more than a line."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.load import load_grid
from synaug_ray.data.identify import identify
from synaug_ray.data.sources.npz import open_npz

GRID = """dataset: digits
num_real: 20
synthetic_multiples: [0, 1]
generators: [jitter]
classifiers: [mlp]
"""


def refused(folder, text=GRID, *overrides):
    path = folder / "g.yaml"
    path.write_text(text)
    with pytest.raises(UsageProblem) as caught:
        load_grid(path, list(overrides))
    assert all("\n" not in s and len(s) < 1_000 for s in caught.value.sentences)
    return caught.value.sentences


def test_a_block_of_text_where_a_preset_has_to_be(tmp_path):
    """YAML's ``>`` makes one text of the lines below, which a hint then repeated with its line breaks."""
    (said,) = refused(tmp_path, GRID.replace("[jitter]", ">\n  - {preset: edm-tiny, name: a}\n"))
    assert "generators[0]: unknown preset '- {preset: edm-tiny, name: a}" in said


def test_an_override_of_a_key_with_a_line_break_in_it(tmp_path):
    said = refused(tmp_path, GRID, "dra\r: 1\nws=\r")
    assert any("'dra\\r: 1\\nws'" in s for s in said)


@pytest.mark.parametrize("word", ["generators.\n=1", "generators.0.name.\n.x=1", "draws.\x1b[31m=1", "num_real.0.\n=1"])
def test_an_override_of_a_place_with_a_line_break_in_it(tmp_path, word):
    assert refused(tmp_path, GRID.replace("mlp]", "mlp]\ndraws: 2"), word)


def test_an_override_of_any_length_is_cut(tmp_path):
    (said,) = refused(tmp_path, GRID, "draws=" + "x" * 5_000)
    assert said.startswith("override 'draws=xxx") and "...: draws: " in said


@pytest.mark.parametrize("where", ["~nobody-of-this-name/x", "x" * 300, "a\\0b"])
def test_a_pipeline_at_a_path_that_no_file_system_has(tmp_path, where):
    (said,) = refused(tmp_path, GRID.replace("[jitter]", f'[{{family: pretrained, name: p, pipeline: "{where}"}}]'))
    assert "generators[0]: pipeline " in said


@pytest.mark.parametrize("kind", ["folder", "npz", "parquet"])
@pytest.mark.parametrize("rest", ["~nobody-of-this-name/x", "x" * 300])
def test_data_at_a_path_that_no_file_system_has(kind, rest):
    with pytest.raises(DataProblem, match=f"^dataset: {kind}:{rest[:200]} is not a valid path \\("):
        identify(f"{kind}:{rest}", DataOptions())


def test_an_npz_packed_by_another_method_and_damaged(tmp_path):
    """``zipfile`` lets liblzma's own exception through."""
    file = tmp_path / "x.npz"
    np.save(tmp_path / "a.npy", np.zeros((300, 8, 8), np.uint8))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.write(tmp_path / "a.npy", "train_images.npy")
    content = bytearray(file.read_bytes())
    at = content.index(b"train_images.npy") + 16 + 9  # behind LZMA's own header
    content[at : at + 20] = b"\xff" * 20
    file.write_bytes(content)
    with pytest.raises(DataProblem, match=r"x.npz: not a readable .npz \("):
        open_npz(file, DataOptions())
