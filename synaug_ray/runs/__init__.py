"""One run from start to finish: its lifecycle, its files, its status, its cost."""
