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
def config_of(scenes, tmp_path_factory):
    """Write a task's config of four iterations; classes have an auxiliary head."""
    folder = tmp_path_factory.mktemp('configs')
    more = 'model["decode_head"].update(auxiliary_weight=0.2)\n'
    return lambda task: tiny.write_config(folder, task, scenes, '' if task == 'depth' else more)


@pytest.fixture(scope='session')
def config(config_of):
    """The config of segmentation."""
    return config_of('segmentation')


@pytest.fixture(scope='session')
def trained(config, succeed, tmp_path_factory):
    """The work dir of four iterations of segmentation, with the console in ``console.txt``."""
    work_dir = tmp_path_factory.mktemp('trained')
    done = succeed('train.py', config, '--work-dir', work_dir)
    (work_dir / 'console.txt').write_text(done.stdout + done.stderr)
    return work_dir
