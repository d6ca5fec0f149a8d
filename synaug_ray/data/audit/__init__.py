"""The audit of a data set: checks for errors, and what each finding means for the results."""
