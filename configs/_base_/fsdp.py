# Weights, gradients and the optimiser's state sharded over the GPUs (FSDP, arXiv:2304.11277); see
# docs/scale-out.md. model_wrapper_cfg takes further arguments of MMEngine's wrapper.
runner_type = 'ShardedRunner'
model_wrapper_cfg = dict(type='MMFullyShardedDataParallel', auto_wrap_policy='mmdpt.encoder_layers')
