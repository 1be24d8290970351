"""Which GPU is meant: by product name, by a sysfs tree, by index or unique id, or the emulated one."""

import os
from pathlib import Path

from eclip.errors import InputError
from eclip.gpu import kfd, products
from eclip.gpu.topology import Gpu
from eclip.host.chip import Chip
from eclip.host.sysfs_meter import SysfsMeter

EMULATED = "emulated"


def named(value: str) -> Gpu:
    """A product (`MI50`) or the GPU of a KFD topology tree (a folder; `FOLDER:1` for its second GPU).

    Raises:
        InputError: no such product, folder or GPU.
    """
    folder, colon, index = value.rpartition(":")
    if not (colon and index.isdecimal()):
        folder, index = value, ""
    if not Path(folder).is_dir():
        if "/" in value:
            raise InputError(
                f"--gpu {value}: there is no folder {folder}; give a KFD topology tree, or a product as MI50"
            )
        return products.gpu_for(value)
    found = kfd.read_gpus(Path(folder))
    if not index and len(found) > 1:
        raise InputError(f"--gpu {value}: has {len(found)} GPUs; name one as {value}:0 to {value}:{len(found) - 1}")
    return found[chosen(found, index or "0", f"--gpu {value}")]


def find(which: int | str, source: str, folder: Path) -> Chip:
    """The chip of this index or unique id, or an emulated one that keeps its files in `folder`.

    Raises:
        InputError: there is no such GPU.
    """
    if which == EMULATED:
        from eclip.host import emulation  # noqa: PLC0415 - the testbed is not part of every installation

        return emulation.start(folder, os.environ)
    found = kfd.read_gpus()
    index = chosen(found, which, source)
    only = {"ROCR_VISIBLE_DEVICES": str(index)} if len(found) > 1 else {}
    gpu = found[index]
    key = f"{gpu.unique_id:016x}" if gpu.unique_id else f"node{gpu.node}"
    return Chip(gpu, products.product(gpu.product), only, meter=SysfsMeter(gpu), key=key)


def describe(which: int | str, source: str) -> Gpu:
    """The shape of the GPU alone, for planning."""
    if which == EMULATED:
        from eclip.host import emulation  # noqa: PLC0415 - as above

        return emulation.shape(os.environ)
    found = kfd.read_gpus()
    return found[chosen(found, which, source)]


def chosen(found: tuple[Gpu, ...], which: int | str, source: str) -> int:
    """Index of the GPU with this index or unique id (decimal or 0x...) among those found.

    Raises:
        InputError: there is no such GPU; the error lists those that are there.
    """
    if not found:
        raise InputError(f"{source}: no AMD GPU found on this host; 'eclip doctor' says more")
    number = _number(which, source)
    for index, gpu in enumerate(found):
        if number and gpu.unique_id == number:
            return index
    if 0 <= number < len(found):
        return number
    ids = ", ".join(f"{index} = {gpu.unique_id:#018x}" for index, gpu in enumerate(found))
    raise InputError(f"{source}: no GPU {which}; there are {ids}")


def _number(which: int | str, source: str) -> int:
    try:
        return which if isinstance(which, int) else int(which, 0)
    except ValueError:
        raise InputError(f"{source}: '{which}' is neither an index, a unique id nor '{EMULATED}'") from None
