"""One run from start to finish: its life, what it leaves, how it stands, what it costs."""
