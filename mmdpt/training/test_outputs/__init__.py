"""What a test writes about each image."""
