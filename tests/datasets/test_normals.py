"""Normals computed from depth stay with their image, and their errors are those done by hand."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.datasets.transforms import NormalsFromDepth, PackDepthInputs, RandomRotateDepth
from mmdpt.errors import InputError
from mmdpt.evaluation import NormalsMetric
from mmdpt.models import CosineLoss, NormalsDPTHead
from mmdpt.registry import TRANSFORMS

CAMERA = (40.0, 50.0, 14.5, 9.5)
HEAD = dict(embed_dims=8, reassemble_channels=(4, 4, 8, 8), channels=8)


def plane(camera=CAMERA):
    """Depth of n x = -3 in 20 x 30 pixels, where n looks left, up and back, and n."""
    normal = np.array([-0.3, -0.5, -1])
    fx, fy, cx, cy = camera
    columns, rows = np.meshgrid((np.arange(30) - cx) / fx, (np.arange(20) - cy) / fy)
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    return (-3 / (rays @ normal)).astype(np.float32), normal / np.linalg.norm(normal)


def results(**more):
    depth, _ = plane()
    image = np.zeros((20, 30, 3), np.uint8)
    sample = dict(img=image, img_shape=(20, 30), ori_shape=(20, 30), img_path='a.png')
    return dict(sample, gt_depth_map=depth, seg_fields=['gt_depth_map'], **more)


@pytest.mark.parametrize(
    ('direction', 'signs'),
    [(None, (1, 1, 1)), ('horizontal', (-1, 1, 1)), ('vertical', (1, -1, 1))],
)
def test_normals_are_those_of_the_surface_and_turn_with_a_mirrored_image(direction, signs):
    sample = NormalsFromDepth()(results(intrinsics=CAMERA))
    sample['gt_normals_map'][3, 4] = np.nan
    if direction:
        flip = dict(type='mmdpt.RandomFlip', prob=1.0, direction=direction)
        sample = TRANSFORMS.build(flip)(sample)
    normals = PackDepthInputs()(sample)['data_samples'].gt_normals_map.data
    missing = dict(horizontal=(3, 25), vertical=(16, 4)).get(direction, (3, 4))
    assert normals.isnan().all(dim=0).nonzero().tolist() == [list(missing)]
    expected = torch.from_numpy(plane()[1] * signs)[:, None, None].float()
    assert (normals - expected).nan_to_num().abs().max() < 1e-3


def test_normals_need_the_camera_and_do_not_rotate():
    with pytest.raises(InputError, match=r'a\.png: normals need the camera'):
        NormalsFromDepth()(results())
    sample = NormalsFromDepth(CAMERA, stride=2)(results())
    with pytest.raises(InputError, match='does not rotate normals'):
        RandomRotateDepth(prob=1.0, degree=5.0)(sample)
    with pytest.raises(ValueError, match='stride must be at least 1, got 0'):
        NormalsFromDepth(CAMERA, stride=0)


def vectors(*angles):
    """Unit vectors (3, 1, n) at angles [degree] to the axis of the camera; None: NaN."""
    radians = np.radians([np.nan if angle is None else angle for angle in angles])
    along = [np.sin(radians), np.zeros(len(radians)), -np.cos(radians)]
    return torch.tensor(np.array(along))[:, None]


def test_errors_by_hand():
    """10, 20 and 90 degrees in two images, one pixel without truth."""
    metric = NormalsMetric()

    def process(pred, target):
        maps = dict(pred_normals_map=vectors(*pred), gt_normals_map=vectors(*target))
        metric.process({}, [{key: dict(data=value) for key, value in maps.items()}])

    process((10, 20), (0, 0))
    process((90, 5), (0, None))
    scores = metric.compute_metrics(metric.results)
    assert scores['angle'] == pytest.approx(40)
    assert scores['angle_rmse'] == pytest.approx(np.sqrt((100 + 400 + 8100) / 3))
    shares = [scores[f'within_{angle}'] for angle in (11, 22, 30)]
    assert shares == pytest.approx([100 / 3, 200 / 3, 200 / 3])
    with pytest.raises(InputError, match='no normals to compare with'):
        metric.process({}, [dict(pred_normals_map=dict(data=vectors(1)), img_path='a.png')])
    with pytest.raises(InputError, match='differ in size'):
        process((1,), (1, 2))


def test_the_loss_is_that_of_the_pixels_with_a_target():
    pred = vectors(60, 90, 0)[None].requires_grad_()
    loss = CosineLoss(loss_weight=2.0)(pred, vectors(0, 0, None)[None])
    loss.backward()
    assert loss.item() == pytest.approx(2 * (0.5 + 1) / 2)
    assert pred.grad.isfinite().all() and not pred.grad[..., 2].any()
    assert CosineLoss()(pred, vectors(None, None, None)[None]).item() == 0


def test_padding_does_not_train():
    """The second image is narrower than the batch."""
    torch.manual_seed(0)
    head = NormalsDPTHead(loss_decode=dict(type='mmdpt.CosineLoss'), **HEAD)
    taps = [(torch.randn(2, 8, 3, 4), torch.randn(2, 8)) for _ in range(4)]
    samples = [SegDataSample(metainfo=dict(img_shape=(48, 64))) for _ in range(2)]
    cosines = []
    pred = head.predict(taps, [sample.metainfo for sample in samples], None)
    for row, sample, width in zip(pred, samples, (64, 40), strict=True):
        target = torch.nn.functional.normalize(torch.randn(3, 48, width), dim=0)
        sample.gt_normals_map = PixelData(data=target)
        cosines.append((row[..., :width] * target).sum(0).flatten())
    expected = 1 - torch.cat(cosines).mean()
    torch.testing.assert_close(head.loss(taps, samples, None)['loss_cosine'], expected)
    del samples[1].gt_normals_map
    with pytest.raises(InputError, match='a sample has no gt_normals_map to train on'):
        head.loss(taps, samples, None)
