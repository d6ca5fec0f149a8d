"""From the plain JSON of ``laws.json`` to what to do: recommendations, predictions, how many images to collect."""
