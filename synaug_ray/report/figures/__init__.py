"""Figures: one function a figure (a plotly Figure), and one for the table of the same numbers."""
