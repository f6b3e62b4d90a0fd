"""MMEngine's logger hook, whose file of a test's metrics is written once."""

from mmengine.dist import master_only
from mmengine.hooks import LoggerHook as MMEngineLoggerHook

from mmdpt.registry import HOOKS


@HOOKS.register_module()
class LoggerHook(MMEngineLoggerHook):
    """Log as MMEngine does; rank 0 alone writes the metrics of a test.

    MMEngine writes ``<time>/<time>.json`` on every rank. Ranks that write at once leave a file that
    no JSON reader takes.
    """

    after_test_epoch = master_only(MMEngineLoggerHook.after_test_epoch)
