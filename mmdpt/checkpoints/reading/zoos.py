"""The names under which OpenMMLab's configs call published weights, such as mmcls://resnet50."""

from pathlib import Path

from mmengine.runner import checkpoint as mmengine_checkpoint

from mmdpt.errors import InputError

BACKBONE = 'backbone.'


def zoo_address(source: str) -> str:
    """Give the address that MMEngine knows for a name; other addresses and paths stay.

    Names begin with torchvision://, open-mmlab://, mmcls:// or timm://.

    Raises:
        InputError: If MMEngine, or timm, knows no such name.
    """
    zoo, _, name = source.partition('://')
    if zoo in ('torchvision', 'modelzoo'):
        addresses = mmengine_checkpoint.get_torchvision_models()
    elif zoo in ('open-mmlab', 'openmmlab'):
        name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
        addresses = mmengine_checkpoint.get_external_models()
    elif zoo == 'mmcls':
        addresses = mmengine_checkpoint.get_mmcls_models()
    elif zoo == 'timm':
        return _address_of_timm(name)
    else:
        return source
    address = addresses.get(name)
    if not address:
        raise InputError(f'{source}: MMEngine knows no address of {name!r}')
    if '://' in address:
        return address
    return str(Path(mmengine_checkpoint._get_mmengine_home()) / address)


def _address_of_timm(name: str) -> str:
    """Give the address of what ``timm.create_model(name, pretrained=True)`` loads."""
    try:
        import timm
    except ImportError as error:
        raise InputError(f"timm://{name} needs timm: pip install 'mmdpt[timm]'") from error
    cfg = timm.get_pretrained_cfg(name)
    if cfg is not None and cfg.hf_hub_id:
        file = cfg.hf_hub_filename or 'model.safetensors'
        return f'https://huggingface.co/{cfg.hf_hub_id}/resolve/main/{file}'
    if cfg is not None and cfg.url:
        return str(cfg.url)
    raise InputError(f'timm {timm.__version__} publishes no weights of {name!r}')


def of_zoo(source: str, state_dict: dict) -> dict:
    """Give the backbone of a classifier of mmcls://, under its own names, as MMEngine does."""
    if not source.startswith('mmcls://'):
        return state_dict
    return {
        key.removeprefix(BACKBONE): value
        for key, value in state_dict.items()
        if key.startswith(BACKBONE)
    }
