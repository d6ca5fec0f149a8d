"""What all networks share: batches, data-parallel gradients, checkpoints, number formats."""
