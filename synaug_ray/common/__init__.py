"""Knows no domain: errors, content keys, provenance, what commands share, the CPU, text."""
