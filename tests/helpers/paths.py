"""Paths of the repository's files, for tests."""

from pathlib import Path

from helpers.tiny_base import base_folder

TESTS = Path(__file__).resolve().parent.parent
REPOSITORY = TESTS.parent
SHIPPED = sorted((REPOSITORY / "grids").rglob("*.yaml"))
DESIGNS = [
    path for path in SHIPPED if path.parent.name != "atlas" or path.stem == "digits"
]  # rows of the atlas share one
SMALL_GRID = TESTS / "helpers" / "small.yaml"


def overrides_of(grid: Path, folder: Path) -> list[str]:
    """What a shipped grid needs before it can be read: the files of weights that a user names, here without weights."""
    if grid.stem == "datadream":
        base = folder / "base"
        return [f"generators.0.base={base if base.exists() else base_folder(base)}"]
    second = grid.parent.name == "atlas" or grid.stem == "cifar100-small"
    pretrained = (1, 2) if grid.stem == "blood-transfer" else (1,) if second else ()
    file = folder / "any.safetensors"
    file.write_bytes(b"")
    return [f"classifiers.{i}.weights={file}" for i in pretrained]
