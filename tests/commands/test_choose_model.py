"""Config and weights are chosen from what the command line names."""

import pytest

from mmdpt.commands.prediction.run import choose_model
from mmdpt.errors import InputError


@pytest.mark.parametrize(
    ('named', 'expected'),
    [
        (dict(), ('dpt-hybrid-midas', None)),
        (dict(release='dpt-large-ade20k'), ('dpt-large-ade20k', None)),
        (dict(release='dpt-large-ade20k', checkpoint='k.pt'), ('dpt-large-ade20k', 'k.pt')),
        (dict(config='c.py', checkpoint='k.pth'), ('c.py', 'k.pth')),
    ],
)
def test_model_and_weights(named, expected):
    assert choose_model(**named) == expected


@pytest.mark.parametrize(
    ('named', 'message'),
    [
        (dict(release='dpt-lage-midas'), 'is named dpt-lage-midas; the nearest names: dpt-large-m'),
        (dict(release='dpt_hybrid-ti16_scenes'), 'no released model is named dpt_hybrid-ti16'),
        (dict(config='c.py'), 'the weights of config c.py are missing'),
        (dict(checkpoint='k.pth'), 'the config of checkpoint k.pth is missing'),
    ],
)
def test_model_without_weights_or_config_is_refused(named, message):
    with pytest.raises(InputError, match=message):
        choose_model(**named)
