# DINOv3's depth model: its own 7B and the head that it trained on SYNTHMIX, depth to 100 m
# (facebookresearch/dinov3@6876159, hub/depthers.py), tested on NYU at a short side of 768 px
# (eval/depth/configs/config-nyu-synthmix-dpt-inference.yaml). Not as there: that test averages with
# the mirror image and fits scale and shift to each image's depth. Training is ours: the head alone.
_base_ = './dpt_dinov3-b16_nyu.py'
model = dict(
    backbone=dict(model_name='vit_7b_patch16_dinov3.lvd1689m', frozen_stages=40),
    decode_head=dict(
        reassemble_channels=(2048, 2048, 2048, 2048),
        readout_type='ignore',
        channels=512,
        conv_bias=False,
        resized='skip',
        project=True,
        max_depth=None,
        bins=dict(low=1e-3, high=100.0),
        clamp=(None, None),
    ),
)
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(
    type='ResizeDepth', scale=768, method='lower_bound', multiple=16, image_only=True
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
