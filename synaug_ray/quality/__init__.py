"""Quality checks of a pool of synthetic images: realism, labels, variety and copies."""
