custom_imports = dict(imports=['mmdpt.registry'], allow_failed_imports=False)
default_scope = 'mmdpt'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=2, save_best='auto'
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    nonfinite=dict(type='NonFiniteHook', skip_up_to=0),
    same_buffers=dict(type='SameBuffersHook'),
    stop_signal=dict(type='StopSignalHook'),
)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=600),  # [s], how long ranks wait for one of them
)
# TensorBoard or Weights & Biases: add dict(type='TensorboardVisBackend') or
# dict(type='WandbVisBackend', init_kwargs=dict(project='mmdpt'))
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False
