# What the six sets of DPT's Table 1 (arXiv:2103.13413) share. It follows MiDaS (arXiv:1907.01341v3,
# section 6): per image, scale and shift by least squares in inverse depth; predictions capped;
# errors at the resolution of the ground truth.
# Input size: isl-org/DPT run_monodepth.py, 'minimal'. MiDaS itself brings the longer side to 384,
# of KITTI the shorter one.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepth'),
    dict(type='ResizeDepth', scale=384, method='minimal', multiple=32, image_only=True),
    dict(type='PackDepthInputs'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True, pipeline=test_pipeline),
)
