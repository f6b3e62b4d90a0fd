# As the paper's KITTI model (arXiv:2103.13413, section 4.1), from the released MIX6 weights: their
# disparity scaled and shifted to 1/m (isl-org/DPT's numbers), Eigen's loss, and no gradient
# matching, since the depth is sparse. Ours: the toolbox's length.
_base_ = './dpt_hybrid_kitti.py'
model = dict(
    backbone=dict(init_cfg=None),
    decode_head=dict(
        max_depth=None,
        inversion=(0.00006016, 0.00579),
        loss_decode=dict(_delete_=True, type='SiLogLoss'),
    ),
)
load_from = 'dpt-hybrid-midas'
