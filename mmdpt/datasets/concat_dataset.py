"""Join data sets, of which some may have no classes."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import ConcatDataset as MMEngineConcatDataset

from mmdpt.errors import InputError
from mmdpt.registry import DATASETS

ABOUT_LABELS = ['classes', 'palette', 'label_map', 'reduce_zero_label']
"""Meta information that a part may lack; every sample carries how its own labels are read."""


@DATASETS.register_module()
class ConcatDataset(MMEngineConcatDataset):
    """MMEngine's, which also joins labels and depth: parts with classes and parts without.

    MMEngine compares all meta information of the parts. Here the classes of the parts that have
    some must be equal, and their values in the files may differ.

    Args:
        datasets: Configs of the parts, or the parts.
        lazy_init: See MMEngine.
        ignore_keys: Further keys of the meta information that may differ.

    Raises:
        InputError: If two parts have different classes.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        lazy_init: bool = False,
        ignore_keys: str | list[str] | None = None,
    ) -> None:
        also = [ignore_keys] if isinstance(ignore_keys, str) else ignore_keys or []
        super().__init__(datasets, lazy_init, [*ABOUT_LABELS, *also])
        labelled = [n for n, part in enumerate(self.datasets) if part.metainfo.get('classes')]
        if not labelled:
            return
        self._metainfo = self.datasets[labelled[0]].metainfo
        for number in labelled[1:]:
            classes = self.datasets[number].metainfo['classes']
            if tuple(classes) != tuple(self._metainfo['classes']) and 'classes' not in also:
                raise InputError(
                    f'datasets[{labelled[0]}] and datasets[{number}] are joined, and their classes '
                    f'differ: {self._metainfo["classes"]} and {classes}'
                )
