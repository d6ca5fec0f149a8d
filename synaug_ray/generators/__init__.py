"""Generators: one module per family, with training, sampling, saving and loading. None touches the disk."""
