"""Check the folders and files of a data set when it is listed, before training starts."""

from mmdpt.errors import InputError
from mmdpt.files.paths import check_exists, is_address, missing_files, name_some

PREPARATION = 'how to prepare data: docs/datasets.md'


def check_folders(data_root: str | None, data_prefix: dict, ann_file: str) -> None:
    """Check that root, folders and list file exist, as far as they are local.

    Raises:
        InputError: If one does not exist; names the first.
    """
    hint = (
        f'{PREPARATION}; another place: --cfg-options '
        'train_dataloader.dataset.data_root=... (and val_, test_)'
    )
    named = [('data root', data_root), *data_prefix.items(), ('list file', ann_file)]
    for what, path in named:
        if path and not is_address(path):
            check_exists(path, what, hint)


def check_images_exist(data_list: list[dict]) -> None:
    """Check that the listed images exist.

    Raises:
        InputError: If some do not; names them.
    """
    missing = missing_files(info['img_path'] for info in data_list)
    if missing:
        names = [info['img_path'] for info in data_list if info['img_path'] in missing]
        raise InputError(f'{len(names)} listed images do not exist:{name_some(names)}')


def check_labels_exist(
    data_list: list[dict], key: str = 'seg_map_path', what: str = 'label'
) -> None:
    """Check that every image has the file that its entry names under ``key``, if any.

    Raises:
        InputError: If some do not; names the images and the expected files.
    """
    missing = missing_files(info[key] for info in data_list if key in info)
    unpaired = [
        f'{info["img_path"]} (expected {info[key]})'
        for info in data_list
        if info.get(key) in missing
    ]
    if unpaired:
        raise InputError(f'{len(unpaired)} images have no {what}:{name_some(unpaired)}')
