"""Every command of docs/fine-tuning.md runs on tiny stand-ins and does what the page says."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import REPO
from tiny_files import write_map

import mmdpt.config
import mmdpt.inference.model
from mmdpt.checkpoints import read_checkpoint, to_foreign
from mmdpt.checkpoints.reading.download import cached_path
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.config.config_files import load_config

PAGE = (REPO / 'docs' / 'fine-tuning.md').read_text()
SOURCES = {  # names on the page, and their layouts
    'dpt-hybrid-midas': 'isl-org',
    'dpt-hybrid-nyu': 'isl-org',
    'dpt-large-ade20k': 'isl-org',
    'depth-anything-v2-small': 'depth-anything',
    'depth-anything-v2-small-hypersim': 'depth-anything',
    'depth-anything-v2-small-vkitti': 'depth-anything',
}
ITERATIONS = 2


def commands_by_section():
    sections = {}
    for part in re.split(r'^##+ ', PAGE, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r'```bash\n(.*?)```', part, re.DOTALL)
        lines = '\n'.join(blocks).replace('\\\n', ' ').split('\n')
        if blocks:
            sections[part.partition('\n')[0]] = [line for line in lines if line]
    return sections


def tiny_config(name_or_path, options=()):
    """Load a config and make a narrow model of as many blocks, small images, two iterations."""
    cfg = load_config(name_or_path, options)
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    blocks = 24 if backbone.arch == 'large' else 12
    backbone.arch = dict(embed_dims=24, num_layers=blocks, num_heads=2, feedforward_channels=48)
    head.update(embed_dims=24, reassemble_channels=(4, 8, 12, 16), channels=8)
    if 'stem' in backbone:
        backbone.stem.update(depths=(1, 1, 1), base_channels=32)
        head.update(embed_dims=(128, 256, 24, 24), reassemble_channels=(None, None, 12, 16))
    side = 70 if backbone.get('patch_size') == 14 else 64
    cfg.model.data_preprocessor.size = (side, side)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.batch_size = min(loader.batch_size, 2)
        for step in loader.dataset.get('pipeline', []):
            if 'crop_size' in step:
                step.crop_size = (side, side)
            if 'scale' in step:
                step.scale = side if isinstance(step.scale, int) else (4 * side, side)
    cfg.train_cfg.update(max_iters=ITERATIONS, val_interval=ITERATIONS)
    return cfg


@pytest.fixture(scope='module')
def released(tmp_path_factory):
    """A cache with stand-ins of the releases: tiny, random; give our state dicts by name."""
    home = tmp_path_factory.mktemp('home')
    states = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMDPT_HOME', str(home))
        patch.setattr(mmdpt.inference.model, 'load_config', tiny_config)
        for seed, (name, source) in enumerate(SOURCES.items()):
            torch.manual_seed(seed)
            model = mmdpt.inference.model.init_model(RELEASES[name].config)
            for parameter in model.parameters():
                parameter.data += 0.05 * torch.randn_like(parameter)
            states[name] = model.state_dict()
            path = cached_path(RELEASES[name].address)
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(to_foreign(states[name], source)[0], path)
    return home, states


def write_pair(picture, depth, seed, size):
    """A picture, and depth in millimetres: a slope from 1 to 4 m and a corner without."""
    coarse = np.random.default_rng(seed).integers(256, size=(6, 8, 3), dtype=np.uint8)
    write_map(picture, np.asarray(Image.fromarray(coarse).resize(size)))
    slope = np.tile(np.linspace(1000, 4000 + seed, size[0]).astype(np.uint16), (size[1], 1))
    slope[:5, :5] = 0
    write_map(depth, slope)


@pytest.fixture
def workplace(tmp_path, released, monkeypatch):
    """A folder as the page assumes it: tools, configs, data, a downloaded file."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(REPO / name)
    data = tmp_path / 'data'
    for seed, (split, ours, count) in enumerate((('train', 'train', 3), ('test', 'val', 2))):
        lines = ['image,depth,scale']
        for key in range(10 * seed, 10 * seed + count):
            nyu, mine = f'{split}/room_{key:05d}', f'rooms/{key}'
            images, labels = (data / f'nyu/{name}/{nyu}' for name in ('images', 'annotations'))
            write_pair(images.with_suffix('.jpg'), labels.with_suffix('.png'), key, (640, 480))
            write_pair(data / f'mine/{mine}.jpg', data / f'mine/{mine}.png', key, (80, 60))
            lines.append(f'{mine}.jpg,{mine}.png,1000')
            label = data / f'mine/annotations/{ours}/{key}.png'
            write_pair(data / f'mine/images/{ours}/{key}.jpg', label, key, (80, 60))
            write_map(label, [0, 1, 2, 255], (60, 80), np.uint8)
        (data / f'mine/{ours}.csv').write_text('\n'.join(lines) + '\n')
    (block,) = re.findall(r'write `my_classes.py`:\n\n```python\n(.*?)```', PAGE, re.DOTALL)
    (tmp_path / 'my_classes.py').write_text(block)
    home, _ = released
    monkeypatch.setenv('MMDPT_HOME', str(home))
    address = RELEASES['dpt-hybrid-midas'].address
    shutil.copy(cached_path(address), tmp_path / Path(address).name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Command:
    """One command of the page, run in this process.

    ``asked`` is the config that it loaded, before it was made tiny.
    """

    def __init__(self, line, states, call_tool, monkeypatch, capsys):
        self.states = states
        self.asked = None
        program, tool, *self.arguments = shlex.split(line)
        check = dict(
            train=self.trained,
            test=self.tested,
            check_dataset=self.checked,
            convert_checkpoint=self.converted,
            fit_inversion=self.fitted,
        ).get(Path(tool).stem)
        assert program == 'python' and check is not None, f'the test does not know: {line}'

        def remember(name_or_path, options=()):
            self.asked = load_config(name_or_path, options)
            return tiny_config(name_or_path, options)

        monkeypatch.setattr(mmdpt.config, 'load_config', remember)
        monkeypatch.setattr(mmdpt.inference.model, 'load_config', remember)
        code = call_tool(Path(tool).name, *self.arguments)
        done = capsys.readouterr()
        assert not code, f'{line}\n{done.out}{done.err}'
        self.output = done.out
        check()

    def option(self, name, default=None):
        if name not in self.arguments:
            return default
        return Path(self.arguments[self.arguments.index(name) + 1])

    def checked(self):
        assert 'no trouble found' in self.output

    def converted(self):
        weights = read_checkpoint(self.arguments[1]).state_dict
        torch.testing.assert_close(weights, self.states['dpt-hybrid-midas'], rtol=0, atol=0)
        assert 'isl-org (depth)' in self.output and 'all match' in self.output

    def fitted(self):
        assert '[3/3]' in self.output
        number = r'(-?[\d.e-]+)'
        option = rf'--cfg-options model\.decode_head\.inversion={number},{number}\n\Z'
        assert float(re.search(option, self.output)[1]) > 0

    def trained(self):
        """Started from the release, moved a little, and wrote a checkpoint."""
        default = Path('work_dirs') / Path(self.asked.filename).stem
        work_dir = self.option('--work-dir', default)
        written = work_dir / f'iter_{ITERATIONS}.pth'
        weights = read_checkpoint(written).state_dict
        start = self.states[Path(self.asked.load_from).stem]
        assert f'Load checkpoint from {self.asked.load_from}' in self.output
        anew = {key for key, value in start.items() if weights[key].shape != value.shape}
        assert len(anew) == (4 if self.asked.load_from == 'dpt-large-ade20k' else 0)  # classifiers
        moved = [
            (weights[key] - value).abs().max().item()
            for key, value in start.items()
            if key not in anew and value.is_floating_point() and 'running_' not in key
        ]
        assert 0 < max(moved) < 1e-3
        assert 'no CUDA' in self.output or torch.cuda.is_available()
        assert re.search(r'(d1|mIoU): [\d.]+', self.output)
        # under the name that the page's next command gives it
        written.rename(work_dir / f'iter_{self.asked.train_cfg.max_iters}.pth')

    def tested(self):
        """Printed the metrics, drew and wrote every image."""
        name = 'mIoU' if self.asked.model.type == 'EncoderDecoder' else 'abs_rel'
        assert np.isfinite(float(re.findall(rf'{name}: ([\d.]+)', self.output)[-1]))
        for folder in filter(None, map(self.option, ('--show-dir', '--out'))):
            assert len([path for path in folder.rglob('*') if path.is_file()]) == 2
        written = self.option('--out', Path('none'))
        for path in written.rglob('*.npy'):
            depth = np.load(path)
            assert depth.dtype == np.float32 and depth.shape in ((480, 640), (60, 80))
            high = {'relative': np.inf}.get(self.asked.model.decode_head.output, 20)
            assert (depth >= 0).all() and (depth <= high).all()
            if 'nyu' in self.asked.filename:  # 1 / 0.1378, and the overshoot of the cubic
                assert np.median(depth) <= 7.257 and depth.max() <= 7.26
        for path in written.rglob('*.png'):
            assert set(np.unique(np.asarray(Image.open(path)))) <= {0, 1, 2}


@pytest.mark.nightly
@pytest.mark.parametrize('section', commands_by_section())
def test_commands_of_the_page(section, workplace, released, call_tool, monkeypatch, capsys):
    for line in commands_by_section()[section]:
        Command(line, released[1], call_tool, monkeypatch, capsys)


def test_the_page_has_a_command_for_each_of_its_configs():
    lines = [line for lines in commands_by_section().values() for line in lines]
    for config in re.findall(r'^\| `([\w-]+)` \| `', PAGE, re.MULTILINE):
        names = (config, 'my_classes.py' if config.endswith('own-classes') else config)
        assert any('tools/train.py' in line and line.split()[2] in names for line in lines), config
