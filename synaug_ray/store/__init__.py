"""What is stored: finished steps by content key, and the folder of a run."""
