"""The wording of error messages, kept in one file so that tests assert codes, places and values instead.

``pytest -n 0 --update-messages`` rewrites the entries of the tests that run; review the diff.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from helpers.paths import TESTS

FILE = TESTS / "bad_inputs" / "messages.json"


class Messages:
    """The sentences of each test, by node id; written once, at the end of the session."""

    def __init__(self, update: bool) -> None:
        self.update = update
        self.kept: dict[str, list[str]] = json.loads(FILE.read_text()) if FILE.exists() else {}
        self.seen: dict[str, list[str]] = {}

    def check(self, test: str, sentences: Sequence[str]) -> None:
        """Fail if a test's sentences, in the order in which they are checked, differ from those of the file."""
        before = self.seen.setdefault(test, [])
        at = len(before)
        before += sentences
        if self.update:
            return
        kept = self.kept.get(test)
        if kept is None:
            pytest.fail(f"no entry for {test} in {FILE.name}; if the message is right, run with --update-messages")
        assert list(sentences) == kept[at : at + len(sentences)], "if the new text is right, run with --update-messages"

    def save(self) -> None:
        """Replace the entries of the test functions that ran, and remove those of parameters that no longer exist."""
        if not self.update:
            return
        functions = {test.partition("[")[0] for test in self.seen}
        others = {test: told for test, told in self.kept.items() if test.partition("[")[0] not in functions}
        FILE.write_text(json.dumps(others | self.seen, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
