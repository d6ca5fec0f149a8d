"""What a plan says of number formats, on CPUs with bf16 arithmetic and without."""

import pytest
from helpers.grids import small_grid

from synaug_ray.common import hardware
from synaug_ray.config.warnings import precision_warnings


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    def pretend(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"model name\t: a CPU\nflags\t\t: fpu sse2 {flags}\nflags\t\t: fpu\n")
        monkeypatch.setattr(hardware, "CPUINFO", path)
        monkeypatch.setattr(hardware.platform, "machine", lambda: "x86_64")

    return pretend


@pytest.mark.parametrize(
    "flags,precision,said",
    [
        ("avx2", None, None),
        ("avx2", "fp32", None),
        ("avx2", "bf16", "mlp, edm: this machine's CPU emulates bf16"),
        ("avx512_bf16", None, None),
        ("avx512_bf16", "bf16", None),
        ("amx_bf16 avx512_bf16", "bf16", None),
        ("amx_bf16", None, "precision=bf16 makes convolutions"),
    ],
)
def test_a_plan_says_what_a_number_format_costs_here(cpu, flags, precision, said):
    cpu(flags)
    found = precision_warnings(small_grid(precision=precision))
    assert len(found) == (said is not None)
    assert all(said in sentence for sentence in found)


def test_nothing_is_said_where_the_system_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "none")
    assert precision_warnings(small_grid(precision="bf16")) == []
