"""Stop at a loss or gradient that is NaN or infinite, or leave it out."""
