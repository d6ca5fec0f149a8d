"""The page: from a run's folder to a single ``report.html``."""
