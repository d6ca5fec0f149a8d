"""This machine: what a plan says of number formats on CPUs with bf16 arithmetic and without, its memory, its names."""

from types import SimpleNamespace

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
        ("amx_bf16", None, "precision=bf16 may make large convolutions"),
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


@pytest.mark.parametrize("limit,used,files,free", [(8, 6, 1, 3), ("max", 6, 1, 50), (100, 6, 1, 50), (8, 9, 0, 0)])
def test_a_container_may_use_what_its_limit_leaves(tmp_path, monkeypatch, limit, used, files, free):
    monkeypatch.setattr(hardware.psutil, "virtual_memory", lambda: SimpleNamespace(available=50))
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    assert hardware.free_memory() == 50
    for name, text in (("max", limit), ("current", used), ("stat", f"anon 5\ninactive_file {files}\nother 7")):
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    assert hardware.free_memory() == free


def test_a_machine_is_named_by_its_processor_and_gpus(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name : Some CPU @ 2 GHz\nmodel name : other\n")
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(hardware, "NVIDIA", tmp_path / "gpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert hardware.hardware_name() == "Some CPU @ 2 GHz"
    (tmp_path / "gpus" / "0").mkdir(parents=True)
    (tmp_path / "gpus" / "0" / "information").write_text("Model: \t\t NVIDIA H100\nIRQ: 5\n")
    assert hardware.hardware_name() == "Some CPU @ 2 GHz + NVIDIA H100"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware.gpu_names() == []
