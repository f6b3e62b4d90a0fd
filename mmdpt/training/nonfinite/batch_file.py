"""Write a batch for inspection to a file of tensors, numbers and text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.structures import BaseDataElement

from mmdpt.files.atomic import atomic_path
from mmdpt.training.resume.checkpoint_contents import to_plain


def write_batch(path: Path, batch: Mapping[str, Any], **facts: Any) -> None:
    """Write a batch of a data loader, and facts. ``torch.load(path, weights_only=True)`` reads it.

    ``inputs`` are images (3, H, W) before normalisation; ``data_samples`` become dicts of labels
    and meta information. The file's folder is made.

    Raises:
        InputError: For any OSError, such as a full disk.
    """
    samples = [_as_dict(sample) for sample in batch.get('data_samples', ())]
    contents = to_plain({**facts, **batch, 'data_samples': samples}, 'batch')
    with atomic_path(path, parents=True) as unfinished:
        torch.save(contents, unfinished)


def image_paths(batch: Mapping[str, Any]) -> list[str]:
    """List the image files of a batch."""
    return [
        str(sample.metainfo['img_path'])
        for sample in batch.get('data_samples', ())
        if 'img_path' in sample.metainfo
    ]


def _as_dict(element: Any) -> Any:
    if not isinstance(element, BaseDataElement):
        return element
    return {name: _as_dict(value) for name, value in element.all_items()}
