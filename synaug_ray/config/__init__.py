"""The question: a YAML file with overrides in, a validated ``GridSpec`` out."""
