"""Images: where they come from, how they are split and drawn, what is wrong with them."""
