"""Execute steps in this process: one step in, one Record out."""
