"""Which GPU is meant: by product name, by a sysfs tree, by index or unique id."""

from pathlib import Path

from eclip import kfd, layout
from eclip.errors import InputError
from eclip.products import PRODUCTS
from eclip.topology import Gpu

EMULATED = "emulated"


def named(value: str) -> Gpu:
    """A product (`MI50`) or the GPU of a KFD topology tree (a folder; `FOLDER:1` for its second GPU).

    Raises:
        InputError: no such product, folder or GPU.
    """
    if value in PRODUCTS:
        return layout.gpu_for(value)
    folder, _, index = value.rpartition(":") if value.rpartition(":")[2].isdecimal() else (value, "", "")
    if not Path(folder).is_dir():
        known = ", ".join(sorted(PRODUCTS))
        raise InputError(f"--gpu {value}: neither a folder of KFD topology nor a product ({known})")
    found = kfd.read_gpus(Path(folder))
    if not index and len(found) > 1:
        raise InputError(f"--gpu {value}: has {len(found)} GPUs; name one as {value}:0 to {value}:{len(found) - 1}")
    return chosen(found, index or "0", f"--gpu {value}")


def chosen(found: tuple[Gpu, ...], which: str, source: str) -> Gpu:
    """The GPU of this index, or of this unique id (decimal or 0x...), among those found."""
    if not found:
        raise InputError(f"{source}: no AMD GPU found")
    number = _number(which, source)
    for gpu in found:
        if gpu.unique_id == number and number:
            return gpu
    if 0 <= number < len(found):
        return found[number]
    ids = ", ".join(f"{index} = {gpu.unique_id:#018x}" for index, gpu in enumerate(found))
    raise InputError(f"{source}: no GPU {which}; there are {ids}")


def _number(which: str, source: str) -> int:
    try:
        return int(which, 0)
    except ValueError:
        raise InputError(f"{source}: '{which}' is neither an index, a unique id nor '{EMULATED}'") from None
