# The first of the paper's two stages on MIX6 (arXiv:2103.13413, section 4.1): 60 epochs on a
# well-curated subset. dpt_vit-l16_mix6 is the second. Ours: which sets these are.
_base_ = './dpt_vit-l16_mix6.py'
curated = ('redweb', 'hrwsi', 'blendedmvs')
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dataset
            for dataset in _base_.train_dataloader.dataset.datasets
            if dataset.data_root.endswith(curated)
        ]
    )
)
