"""Decodes image files to uint8 arrays, in parallel, and keeps them on disk."""
