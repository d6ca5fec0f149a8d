"""Exact and near duplicates within a set of images, or between two."""
