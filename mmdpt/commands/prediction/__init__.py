"""``tools/predict.py``: everything that a source names becomes files."""
