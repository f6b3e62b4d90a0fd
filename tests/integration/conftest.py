"""One tiny training a task, which serves test, pictures, prediction and export."""

import pytest
import tiny


@pytest.fixture(scope='session')
def succeed(run_tool):
    """Run a tool that must end with 0; give what it left."""

    def run(*command, **settings):
        done = run_tool(*command, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope='session')
def config(scenes, tmp_path_factory):
    """The segmentation config of four iterations, with an auxiliary head."""
    more = 'model["decode_head"].update(auxiliary_weight=0.2)\n'
    return tiny.write_config(tmp_path_factory.mktemp('configs'), 'segmentation', scenes, more)


@pytest.fixture(scope='session')
def trained(config, succeed, tmp_path_factory):
    """The work dir of four iterations of segmentation, with the console in ``console.txt``."""
    work_dir = tmp_path_factory.mktemp('trained')
    done = succeed('train.py', config, '--work-dir', work_dir)
    (work_dir / 'console.txt').write_text(done.stdout + done.stderr)
    return work_dir
