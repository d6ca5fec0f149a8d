"""The questions beside the verdicts: of each its numbers (``x``), results (``x_results``) and words (``x_text``)."""
