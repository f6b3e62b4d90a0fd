"""Child registries of MMSegmentation's, so that every mmseg and mmengine name resolves bare.

With ``default_scope = 'mmdpt'`` a name is looked up here first, then in mmseg, then in mmengine:
``DPTHead`` is ours, ``CrossEntropyLoss`` is mmseg's. mmpretrain is a sibling: ``mmpretrain.Name``.
A registry that the runner asks and that has no child here would warn and see MMEngine's names
alone, hence those without modules of their own, whose location imports the host packages'.
"""

from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import Registry
from mmseg import registry as mmseg_registry


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    locations = locations or ('mmdpt._openmmlab',)
    return Registry(name, parent=parent, scope='mmdpt', locations=list(locations))


MODELS = _child('model', mmseg_registry.MODELS, 'mmdpt.models')
WEIGHT_INITIALIZERS = _child(
    'weight initializer', mmseg_registry.WEIGHT_INITIALIZERS, 'mmdpt.checkpoints.pretrained_init'
)
DATASETS = _child('dataset', mmseg_registry.DATASETS, 'mmdpt.datasets')
TRANSFORMS = _child('transform', mmseg_registry.TRANSFORMS, 'mmdpt.datasets')
HOOKS = _child('hook', mmseg_registry.HOOKS, 'mmdpt.training')
OPTIM_WRAPPERS = _child('optim_wrapper', mmseg_registry.OPTIM_WRAPPERS, 'mmdpt.training')
METRICS = _child('metric', mmseg_registry.METRICS, 'mmdpt._openmmlab', 'mmdpt.evaluation')
TASK_UTILS = _child('task util', mmseg_registry.TASK_UTILS)
MODEL_WRAPPERS = _child('model_wrapper', mmseg_registry.MODEL_WRAPPERS)
DATA_SAMPLERS = _child(
    'data sampler', mmseg_registry.DATA_SAMPLERS, 'mmdpt._openmmlab', 'mmdpt.datasets'
)
OPTIMIZERS = _child('optimizer', mmseg_registry.OPTIMIZERS)
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', mmseg_registry.OPTIM_WRAPPER_CONSTRUCTORS
)
PARAM_SCHEDULERS = _child('parameter scheduler', mmseg_registry.PARAM_SCHEDULERS)
LOOPS = _child('loop', mmseg_registry.LOOPS, 'mmdpt.training')
EVALUATOR = _child('evaluator', mmseg_registry.EVALUATOR)
VISUALIZERS = _child('visualizer', mmseg_registry.VISUALIZERS)
VISBACKENDS = _child('vis_backend', mmseg_registry.VISBACKENDS, 'mmdpt.training')
LOG_PROCESSORS = _child('log_processor', mmseg_registry.LOG_PROCESSORS, 'mmdpt.training')
RUNNERS = _child('runner', mmseg_registry.RUNNERS, 'mmdpt.training')
FUNCTIONS = _child('function', MMENGINE_FUNCTIONS, 'mmdpt.training')
