"""From an image, a folder, an address or a video to what a model says about it."""
