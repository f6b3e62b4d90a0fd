"""The console: what the tools call."""
