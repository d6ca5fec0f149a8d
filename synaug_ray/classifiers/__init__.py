"""Classifiers: their networks, their batches, their joint training."""
