"""Forms and fits: numbers in, numbers out. Curves, equivalence laws, their choice and their bootstrap."""
