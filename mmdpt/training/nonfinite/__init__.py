"""What happens where a loss or a gradient is NaN or infinite."""
