"""Write pictures and predictions of each test image."""
