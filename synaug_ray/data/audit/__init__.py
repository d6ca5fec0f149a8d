"""What is wrong with a data set, and what that means for the answer."""
