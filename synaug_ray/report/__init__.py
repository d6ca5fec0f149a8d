"""The page: a run's folder in, one ``report.html`` out."""
