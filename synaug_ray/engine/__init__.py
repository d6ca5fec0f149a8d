"""One step in, one Record out, in this process."""
