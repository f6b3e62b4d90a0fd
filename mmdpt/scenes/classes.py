"""The classes of the scenes data set: twelve of ADE20K's, with ADE20K's colours and order."""

CLASSES = (
    'wall',
    'building',
    'sky',
    'floor',
    'tree',
    'ceiling',
    'road',
    'grass',
    'cabinet',
    'sidewalk',
    'car',
    'ball',
)

PALETTE = (
    (120, 120, 120),
    (180, 120, 120),
    (6, 230, 230),
    (80, 50, 50),
    (4, 200, 3),
    (120, 120, 80),
    (140, 140, 140),
    (4, 250, 7),
    (224, 5, 255),
    (235, 255, 7),
    (0, 102, 200),
    (255, 0, 163),
)

LABELS = {name: label for label, name in enumerate(CLASSES, start=1)}
"""Label in an annotation file, by class name; 0 is ADE20K's "ignore" and marks no pixel here."""
