# Tested at another size than trained (arXiv:2103.13413, section 4.3).
_base_ = '../dpt/dpt_vit-ti16_scenes-depth.py'
val_dataloader = test_dataloader = _base_.test_dataloader
test_dataloader.dataset.pipeline[2].scale = (224, 168)
