"""From pictures and whole batches of pixels to what a network takes."""
