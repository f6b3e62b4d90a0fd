"""The names under which OpenMMLab's configs call published weights, such as mmcls://resnet50."""

from pathlib import Path

from mmengine.runner import checkpoint as mmengine_checkpoint

from mmdpt.errors import InputError

BACKBONE = 'backbone.'


def zoo_address(source: str) -> str:
    """Give the address that MMEngine knows for a name; other addresses and paths stay.

    Names begin with torchvision://, open-mmlab:// or mmcls://.

    Raises:
        InputError: If MMEngine knows no such name.
    """
    zoo, _, name = source.partition('://')
    if zoo in ('torchvision', 'modelzoo'):
        addresses = mmengine_checkpoint.get_torchvision_models()
    elif zoo in ('open-mmlab', 'openmmlab'):
        name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
        addresses = mmengine_checkpoint.get_external_models()
    elif zoo == 'mmcls':
        addresses = mmengine_checkpoint.get_mmcls_models()
    else:
        return source
    address = addresses.get(name)
    if not address:
        raise InputError(f'{source}: MMEngine knows no address of {name!r}')
    if '://' in address:
        return address
    return str(Path(mmengine_checkpoint._get_mmengine_home()) / address)


def of_zoo(source: str, state_dict: dict) -> dict:
    """Give the backbone of a classifier of mmcls://, under its own names, as MMEngine does."""
    if not source.startswith('mmcls://'):
        return state_dict
    return {
        key.removeprefix(BACKBONE): value
        for key, value in state_dict.items()
        if key.startswith(BACKBONE)
    }
