"""What lies on disk: finished steps by content key, and the folder of a run."""
