"""Shared by all networks: batches, data-parallel gradients, the training loop, checkpoints, precision."""
