"""Let a process kill itself in the middle of writing a checkpoint."""

import os
import signal


def kill_at(what, number, when):
    """Make one call of the main process its last.

    Args:
        what: 'write', 'fsync', 'replace' or 'remove'.
        number: Which call of it, from 1.
        when: 'before', 'in' or 'after' the call; only a write has an 'in'.
    """
    from mmdpt.training.resume import checkpoint_files

    place = checkpoint_files._NotedFile if what == 'write' else os
    call, calls, main = getattr(place, what), [0], os.getpid()

    def counted(*args, **kwargs):
        calls[0] += os.getpid() == main
        last = os.getpid() == main and calls[0] == number
        if last and when == 'before':
            os.kill(main, signal.SIGKILL)
        if last and when == 'in' and what == 'write':
            file, data = args[0].file, memoryview(args[1])
            file.write(data[: len(data) // 2])
            file.flush()
            os.kill(main, signal.SIGKILL)
        result = call(*args, **kwargs)
        if last:
            os.kill(main, signal.SIGKILL)
        return result

    setattr(place, what, counted)
