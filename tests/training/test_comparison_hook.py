"""The picture of a comparison: where a joint model sees the sky, it has no depth."""

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from mmdpt.training.test_outputs.comparison_hook import _comparison


def test_depth_is_black_where_the_predicted_labels_say_sky(tmp_path):
    Image.new('RGB', (64, 48), 'grey').save(tmp_path / 'a.png')
    labels = torch.zeros(1, 48, 64, dtype=torch.int64)
    labels[:, :10] = 1
    depth = torch.linspace(2, 9, 64).expand(1, 48, 64)
    sample = SegDataSample(metainfo=dict(img_path=str(tmp_path / 'a.png')))
    sample.set_metainfo(dict(depth_output='depth', depth_unit='m'))
    sample.gt_sem_seg = sample.pred_sem_seg = PixelData(data=labels)
    sample.gt_depth_map = sample.pred_depth_map = PixelData(data=depth)
    for second in ('sky', 'wall'):
        meta = dict(classes=('floor', second), palette=[[0, 200, 0], [0, 0, 200]])
        prediction = _comparison(sample, meta)[52:100, 136:200]
        black = (prediction == 0).all(axis=-1)
        expected = (labels[0] == 1).numpy() if second == 'sky' else np.zeros((48, 64), bool)
        np.testing.assert_array_equal(black, expected)
