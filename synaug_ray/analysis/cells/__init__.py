"""Trials averaged into cells: their errors and gains, and how sure they are."""
