"""Where tests find what lies in the repository."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
REPOSITORY = TESTS.parent
SMALL_GRID = TESTS / "helpers" / "small.yaml"
