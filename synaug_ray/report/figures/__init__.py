"""Figures: for each, a function that makes the plotly Figure, and one for the table of the same numbers."""
