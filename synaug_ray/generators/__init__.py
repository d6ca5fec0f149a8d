"""Generators: one file a family. A Generator trains, samples, saves and loads; it knows no disk."""
