"""Task heads on the fused map."""
