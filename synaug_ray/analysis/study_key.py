"""What names a study."""

from __future__ import annotations

from typing import NamedTuple


class StudyKey(NamedTuple):
    """What a law is fitted to: one generator with one protocol, real share and classifier."""

    classifier: str
    generator: str
    protocol: str
    real_share: str


STUDY = StudyKey._fields
