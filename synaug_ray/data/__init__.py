"""Images: their sources, decoding, splits and subsets, and the checks of a data set."""
