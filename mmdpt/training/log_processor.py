"""A log that remembers what it averages over, and no more."""

from typing import Any

from mmengine.logging import HistoryBuffer
from mmengine.runner import LogProcessor as MMEngineLogProcessor

from mmdpt.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class LogProcessor(MMEngineLogProcessor):
    """MMEngine's, which keeps as many values of each scalar as the log looks back on.

    MMEngine keeps a million. It copies all of them for every new one, 5 ms an iteration after
    160,000, and saves them in every checkpoint. The log shows the same numbers either way. A scalar
    of ``custom_cfg`` that looks back to the start ('global', 'epoch') is kept whole.
    """

    def get_log_after_iter(self, runner: Any, batch_idx: int, mode: str) -> tuple[dict, str]:
        """Write the line of an iteration, see MMEngine."""
        line = super().get_log_after_iter(runner, batch_idx, mode)
        if mode == 'train':
            self._forget(runner.message_hub.log_scalars, mode, self.window_size)
        return line

    def get_log_after_epoch(
        self, runner: Any, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict, str]:
        """Write the line of a validation or test, which averages over all of it; see MMEngine.

        The values of each class, which metrics give by name, go to the JSON file alone.
        """
        tag, line = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        longest = max(self.window_size, batch_idx + 1)
        self._forget(runner.message_hub.log_scalars, mode, longest)
        for name, values in self._collect_non_scalars(runner, mode).items():
            if isinstance(values, dict):
                line = line.replace(f'  {name}: {values}', '')
                tag.pop(name, None)
                tag.update({f'{name}/{key}': value for key, value in values.items()})
        return tag, line

    def _forget(self, scalars: dict[str, HistoryBuffer], mode: str, length: int) -> None:
        """Let the scalars of a mode remember ``length`` values, or what ``custom_cfg`` asks for."""
        for name, buffer in scalars.items():
            if not name.startswith(f'{mode}/'):
                continue
            sources = (name, name.removeprefix(f'{mode}/'))
            own = [cfg for cfg in self.custom_cfg if cfg['data_src'] in sources]
            windows: list[Any] = [cfg.get('window_size') for cfg in own]
            if all(isinstance(window, int) for window in windows):
                longest = max([length, *windows])
                if buffer.max_length != longest:
                    kept = (part[-longest:] for part in buffer.data)
                    scalars[name] = HistoryBuffer(*kept, max_length=longest)
