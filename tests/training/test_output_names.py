"""Outputs of a test do not overwrite one another."""

import pytest

from mmdpt.training.test_outputs.output_names import OutputNames


class Images:
    def __init__(self, *paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, index):
        return {'img_path': self.paths[index]}


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (('data/test/a.jpg', 'data/test/b.jpg'), ('a.png', 'b.png')),
        (
            ('k/drive1/data/1.png', 'k/drive2/data/1.png'),
            ('drive1/data/1.png', 'drive2/data/1.png'),
        ),
        (('only.jpg',), ('only.png',)),
        (('d/i.jpg', 'd/i.png', 'd/j.jpg'), ('i.jpg.png', 'i.png.png', 'j.jpg.png')),
        (('d/a.b.jpg', 'd/a.c.jpg'), ('a.b.png', 'a.c.png')),
    ],
)
def test_named_below_the_folder_that_all_share(tmp_path, paths, names):
    outputs = OutputNames(tmp_path, Images(*paths))
    for path, name in zip(paths, names, strict=True):
        output = outputs.path(path, '.png')
        assert output == tmp_path / name
        assert output.parent.is_dir()
