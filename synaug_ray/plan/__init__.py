"""A ``GridSpec`` as steps: everything that has to be done, in order, each step once."""
