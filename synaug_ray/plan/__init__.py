"""A ``GridSpec`` as steps: what is to be made, in order, each once."""
