"""``tools/app.py``: a page in the browser that shows what a model predicts for a picture."""
