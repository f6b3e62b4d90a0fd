"""Write the depth that a test predicts."""

from collections.abc import Sequence

import numpy as np
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmdpt.registry import HOOKS

from .output_names import OutputHook


@HOOKS.register_module()
class DepthWriterHook(OutputHook):
    """Write each prediction as .npy, (H, W) float32 in original pixels and the model's unit.

    Args:
        out_dir: Folder for one file an image, named as the image.
    """

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Write the predictions of a batch."""
        for sample in outputs:
            depth = sample.pred_depth_map.data.squeeze(0).float().cpu().numpy()
            np.save(self.names.path(sample.img_path, '.npy'), depth)
