"""The inferencer's numbers are those that tools/test.py writes for the same files."""

import numpy as np
import tiny
from PIL import Image

from mmdpt.apis import init_model
from mmdpt.inference.inferencer import DPTInferencer


def test_labels_and_depth_equal_those_of_the_test_tool(scenes, run_tool, tmp_path):
    """Averaged with the mirror image."""
    more = 'model.update(test_cfg=dict(flip=True))\n'
    joint, checkpoint = tiny.write_config(tmp_path, 'joint', scenes, more), tmp_path / 'model.pth'
    tiny.save(tiny.randomise(init_model(str(joint))), checkpoint)
    done = run_tool(
        *('test.py', joint, checkpoint, '--work-dir', tmp_path / 'work'),
        *('--out', tmp_path / 'out'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = scenes / 'images' / 'validation'
    predictions = DPTInferencer(str(joint), str(checkpoint), device='cpu')(pictures)
    assert len(predictions) == 3
    for prediction in predictions:
        depth = np.load(tmp_path / 'out' / f'{prediction.name}.npy')
        np.testing.assert_allclose(prediction.map, depth, rtol=1e-6)
        with Image.open(tmp_path / 'out' / f'{prediction.name}.png') as labels:
            np.testing.assert_array_equal(prediction.labels + 1, np.asarray(labels))  # from 1
        assert np.ptp(prediction.labels) > 0 and np.ptp(prediction.map) > 0
