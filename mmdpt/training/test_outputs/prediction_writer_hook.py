"""Write the labels and the depth that a test predicts."""

from collections.abc import Sequence

from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from PIL import Image

from mmdpt.datasets.label_values import as_file_values
from mmdpt.files.atomic import atomic_path, write_npy
from mmdpt.registry import HOOKS

from .output_names import OutputHook


@HOOKS.register_module(name=['PredictionWriterHook', 'DepthWriterHook'])
class PredictionWriterHook(OutputHook):
    """Write the predictions of each image in original pixels.

    Labels become a PNG with the values that the data set's label files have for the classes. Depth
    becomes .npy, (H, W) float32 in the model's unit, normals (H, W, 3).

    Args:
        out_dir: Folder for the files of each image, named as the image.
    """

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[SegDataSample]
    ) -> None:
        """Write the predictions of a batch."""
        for sample in outputs:
            if 'pred_sem_seg' in sample:
                labels = sample.pred_sem_seg.data[0].long().cpu().numpy()
                values = as_file_values(labels, self.names.info(sample.img_path))
                with atomic_path(self.names.path(sample.img_path, '.png')) as unfinished:
                    Image.fromarray(values).save(unfinished)
            if 'pred_depth_map' in sample:
                depth = sample.pred_depth_map.data[0].float().cpu().numpy()
                write_npy(self.names.path(sample.img_path, '.npy'), depth)
            if 'pred_normals_map' in sample:
                normals = sample.pred_normals_map.data.permute(1, 2, 0).cpu().numpy()
                write_npy(self.names.path(sample.img_path, '.npy'), normals)
