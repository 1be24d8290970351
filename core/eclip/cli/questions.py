"""What `plan` and `simulate` are asked: a mix on each of its GPUs, from a file or from flags."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eclip.cli import values
from eclip.errors import InputError

if TYPE_CHECKING:
    from eclip.gpu.topology import Gpu
    from eclip.host import mix


@dataclass(frozen=True, slots=True)
class Question:
    """One GPU and all its workers."""

    gpu: "Gpu"
    mix: "mix.Mix"


def questions(file: Path | None, gpu: str | None, profiles: list[str]) -> list[Question]:
    """The mixes of a colocation file, or of a GPU and its profiles.

    Raises:
        InputError: neither or both are given, or something in them cannot be read.
    """
    from eclip.documents import colocation, profile
    from eclip.host import gpus, mix

    if (file is None) == (not profiles):
        raise InputError(
            "name either a colocation file (-f FILE) or a GPU and profiles (--gpu MI50 --profile NAME=FILE)"
        )
    if file is not None:
        spec = colocation.load(file)
        chips = {name: gpus.named(gpu) if gpu else gpus.describe(name, str(file)) for name in spec.gpus}
        return [Question(found, mix.of(spec, name)) for name, found in chips.items()]
    if gpu is None:
        raise InputError("--profile needs a GPU as well: --gpu MI50, or --gpu with a folder of KFD topology")
    files = values.named("--profile", profiles, values.path, "FILE")
    return [Question(gpus.named(gpu), mix.of_profiles({name: profile.load(path) for name, path in files.items()}))]
