"""The processes of one run: start them, notice a lost one. The standard library alone."""
