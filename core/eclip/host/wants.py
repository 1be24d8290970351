"""What a colocation file wants of one GPU: programs to start, and what plans depend on. Pure, but for file look-ups."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eclip.documents import colocation
from eclip.errors import InputError
from eclip.host import lifecycle, mix

STATIC_ENV = "static-split-env"
"""The strategy that masks a whole process at its start, as HAMi does; everything else is done by tables."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program is started; a change of it restarts the program."""

    command: tuple[str, ...]
    folder: Path
    environment: tuple[tuple[str, str], ...]
    """Of the file, and of the strategy where it works by the environment; sorted."""


def of(
    spec: colocation.Colocation, question: mix.Mix, gpu: int | str, masks: Mapping[str, str]
) -> dict[str, lifecycle.Wanted]:
    """By workload. `masks` are values of HSA_CU_MASK for those that get one.

    Raises:
        InputError: a program is not there.
    """
    return {
        workload.name: lifecycle.Wanted(
            name=workload.name,
            launch=_launch(workload, spec.folder, masks.get(workload.name)) if workload.command else None,
            planning=mix.identity(question, workload.name),
            restart=lifecycle.Restart(workload.restart),
        )
        for workload in spec.on(gpu)
    }


def _launch(workload: colocation.Workload, folder: Path, mask: str | None) -> Launch:
    program = _program(workload, folder)
    environment = {**workload.env, **({"HSA_CU_MASK": mask} if mask else {})}
    return Launch((program, *workload.command[1:]), folder, tuple(sorted(environment.items())))


def _program(workload: colocation.Workload, folder: Path) -> str:
    name = workload.command[0]
    if "/" in name:
        path = (folder / name).resolve()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise InputError(f"workload {workload.name}: '{name}' is no program ({path})")
        return str(path)
    search = workload.env.get("PATH", os.environ.get("PATH"))
    found = shutil.which(name, path=search)
    if not found:
        raise InputError(
            f"workload {workload.name}: there is no program '{name}' on PATH; give its path, such as ./{name}"
        )
    return found
