"""Curves and equivalence laws: forms, fits, selection, bootstrap. Numbers in, numbers out."""
