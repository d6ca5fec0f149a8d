"""Classifiers: networks, the schedule of images, and the joint training of packs."""
