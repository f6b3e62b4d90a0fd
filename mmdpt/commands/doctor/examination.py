"""All checks in an order in which each may rely on those before it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from mmdpt.errors import InputError

from .findings import Finding

Check = Callable[[], Finding | Iterable[Finding]]


def examine(config: str | None = None, options: Sequence[str] = ()) -> Iterator[Finding]:
    """Look at the installation, the machine and the data, as far as the imports carry.

    Args:
        config: Path of a config, or the name of one of mmdpt, whose data must be there. None: the
            data of all configs is looked for.
        options: Overrides of the config, 'key=value'.
    """
    yield from _run('versions', _check_versions)
    broken = []
    for finding in _run('imports', _check_imports):
        yield finding
        if finding.state == 'wrong':
            broken.append(finding.subject)
    yield from _machine(broken)
    if broken:
        left_out = 'the forward pass, the cache and the data were not looked at'
        yield Finding('note', 'the rest', left_out, f'mend {", ".join(broken)} first')
    else:
        yield from _installed(config, options)


def _machine(broken: Sequence[str]) -> Iterator[Finding]:
    from mmdpt.commands.doctor import machine

    yield from _run('cores', machine.check_cores)
    yield from _run('current folder', machine.check_cwd)
    if not {'import torch', 'imports'}.intersection(broken):
        yield from _run('CUDA', machine.check_cuda)


def _installed(config: str | None, options: Sequence[str]) -> Iterator[Finding]:
    from mmdpt.commands.doctor import data, machine

    yield from _run('cache', machine.check_cache)
    yield from _run('forward pass', machine.check_forward)
    if config is None:
        yield from _run('data', data.check_all_data)
    else:
        yield from _run(config, lambda: data.check_config_data(config, options))


def _check_versions() -> Iterator[Finding]:
    from .versions import check_versions  # here, as packaging may be missing

    return check_versions()


def _check_imports() -> Iterator[Finding]:
    from .imports import check_imports

    return check_imports()


def _run(subject: str, check: Check) -> Iterator[Finding]:
    """Run a check; what it raises is a finding too, and the examination goes on."""
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except InputError as error:
        yield Finding('wrong', subject, str(error))
    except ModuleNotFoundError as error:
        remedy = f'pip install {error.name.partition(".")[0]}' if error.name else ''
        yield Finding('wrong', subject, f'cannot be checked: {error}', remedy)
    except Exception as error:
        yield Finding('wrong', subject, f'{type(error).__name__}: {error}')
