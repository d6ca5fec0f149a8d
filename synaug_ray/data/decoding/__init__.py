"""From encoded files to uint8 arrays, in parallel, kept on disk."""
