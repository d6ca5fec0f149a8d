"""Independent of the domain: errors, content keys, provenance, command-line basics, hardware, text."""
