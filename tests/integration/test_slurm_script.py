"""tools/slurm_train.sh, with commands in place of Slurm's that write down how they are called."""

import os
import subprocess

import pytest
from tiny import REPO

SCRIPT = REPO / 'tools' / 'slurm_train.sh'


@pytest.fixture
def slurm(tmp_path):
    """Run the script in a folder of its own; give the process and the calls, a line each."""
    commands = tmp_path / 'bin'
    commands.mkdir()
    for name, rest in dict(
        sbatch='cat > "$CALLS.job"',
        scontrol='exit "${SCONTROL_CODE:-0}"',
        # the training: stopped by a signal if asked to
        srun='[ -z "$STOPS" ] || echo checkpoint > "$MMDPT_STOPPED_FILE"; exit "${SRUN_CODE:-0}"',
    ).items():
        path = commands / name
        path.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> "$CALLS"\n{rest}\n')
        path.chmod(0o755)
    calls = tmp_path / 'calls'

    def run(*arguments, **environment):
        calls.write_text('')
        inherited = {key: value for key, value in os.environ.items() if 'SLURM' not in key}
        path = f'{commands}:{os.environ["PATH"]}'
        done = subprocess.run(
            ['bash', *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=dict(inherited, PATH=path, CALLS=str(calls), PYTHON='py', **environment),
        )
        return done, calls.read_text().splitlines()

    return run


def in_job(run, **environment):
    return run(SCRIPT, 'gpu', 'name', 'CONFIG', '--amp', SLURM_JOB_ID='42', **environment)


def test_submitted_job_may_be_requeued_is_warned_and_is_the_script_itself(slurm, tmp_path):
    options = ('--cfg-options', 'a="[1, 2]"')
    settings = dict(GPUS='4', SBATCH_ARGS='--time=24:00:00')
    done, calls = slurm(SCRIPT, 'gpu', 'a name', 'CONFIG', *options, **settings)
    assert done.returncode == 0, done.stderr
    assert calls == [
        'sbatch --partition=gpu --job-name=a name --ntasks=4 --ntasks-per-node=4 --cpus-per-task=5 '
        '--gres=gpu:4 --requeue --open-mode=append --signal=USR1@120 --time=24:00:00'
    ]
    done, calls = slurm(tmp_path / 'calls.job', SLURM_JOB_ID='42')
    assert done.returncode == 0, done.stderr
    assert calls == [
        'srun --ntasks=8 --ntasks-per-node=8 --cpus-per-task=5 --gres=gpu:8 --kill-on-bad-exit=1 '
        f'py -u {SCRIPT.parent}/train.py CONFIG --launcher slurm --cfg-options a="[1, 2]"'
    ]


@pytest.mark.parametrize('signals', ['', 'kill -TERM $PPID; kill -USR1 $PPID; '])
def test_stopped_training_goes_back_into_the_queue(slurm, tmp_path, signals):
    """The script outlives signals while the training runs, as at the end of the job's time."""
    srun = tmp_path / 'bin' / 'srun'
    srun.write_text(srun.read_text().replace('[ -z', f'{signals}[ -z'))
    done, calls = in_job(slurm, STOPS='1')
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in calls] == ['srun', 'scontrol']
    assert calls[1] == 'scontrol requeue 42'
    assert not list(tmp_path.glob('*.stopped'))


@pytest.mark.parametrize('code', [0, 3])
def test_training_that_ends_or_fails_does_not_and_gives_the_job_its_code(slurm, tmp_path, code):
    (tmp_path / 'slurm-42.stopped').write_text('the note of an earlier job of that number')
    done, calls = in_job(slurm, SRUN_CODE=str(code))
    assert done.returncode == code
    assert [call.split()[0] for call in calls] == ['srun']


def test_requeued_job_resumes_and_one_that_cannot_be_requeued_says_how_to_go_on(slurm):
    _, calls = in_job(slurm, SLURM_RESTART_COUNT='1')
    assert calls[0].endswith('train.py CONFIG --launcher slurm --amp --resume')
    done, calls = in_job(slurm, SLURM_RESTART_COUNT='0', STOPS='1', SCONTROL_CODE='1')
    assert '--resume' not in calls[0]
    assert done.returncode == 0 and 'not requeued; --resume goes on' in done.stderr
