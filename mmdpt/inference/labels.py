"""Names and colours of the label values."""

from mmdpt.visualization.segmentation import default_palette

Colour = tuple[int, int, int]


def classes_and_palette(
    dataset_meta: dict | None, num_classes: int
) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """Give a name and a colour (RGB) to every class; classes without a name are numbered."""
    meta = dataset_meta or {}
    classes = tuple(meta.get('classes') or ())
    if len(classes) != num_classes:
        classes = tuple(f'class {number}' for number in range(num_classes))
    palette = meta.get('palette') or ()
    if len(palette) != num_classes:
        palette = default_palette(num_classes)
    return classes, tuple((int(red), int(green), int(blue)) for red, green, blue in palette)
