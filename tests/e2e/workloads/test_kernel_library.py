"""What the emulated GPU is told about the workloads' kernels is what the models' rules say."""

import subprocess
import sys
from math import prod
from pathlib import Path

import pytest

import eclip

LIBRARY = Path(eclip.__file__).parent / "native" / "workloads" / "libeclip_workload_kernels.so"
SCRIPTS = Path(__file__).parents[3] / "native" / "workloads" / "models"
CU_FLOPS_PER_MICRO = 13.4e6 / 60
WAVE_FLOOR_MICROS = 1.5


@pytest.fixture(scope="module")
def library(models):
    return models["profiles"].KernelLibrary(LIBRARY)


def _launches(models):
    generate = models["generate"]
    for model, batch in generate.BATCHES.items():
        for launch in generate.BUILDERS[model](batch).launches:
            yield launch, batch


def test_every_function_of_the_models_is_in_the_library(models, library):
    assert {launch.function.name for launch, _ in _launches(models)} <= set(library.names)


def test_the_library_moves_the_bytes_that_the_models_say(models, library):
    for launch, batch in _launches(models):
        shape = library.shape(launch.function.name, launch.grid(batch), 256, launch.at(batch))
        _, moved = launch.function.cost(launch.at(batch))
        assert shape.bytes == pytest.approx(moved, rel=1e-9), launch.function.name
        assert shape.workgroups == prod(launch.grid(batch))


def test_the_library_computes_at_least_the_models_flops(models, library):
    """Whole tiles: as much as the model's flops, and no more than a tile's overhang or the floor adds."""
    for launch, batch in _launches(models):
        function = launch.function
        shape = library.shape(function.name, launch.grid(batch), 256, launch.at(batch))
        flops, _ = function.cost(launch.at(batch))
        rate = CU_FLOPS_PER_MICRO * function.efficiency
        computed = shape.workgroups * shape.wave_micros / shape.workgroups_per_cu * rate
        assert computed >= flops * (1 - 1e-4), function.name
        m, n, *_ = launch.at(batch)
        columns = function.tile_n * launch.grid(batch)[1] / n if function.tile_n else 1
        overhang = function.tile_m * launch.grid(batch)[0] / m * columns
        if shape.wave_micros > WAVE_FLOOR_MICROS:
            assert computed == pytest.approx(flops * overhang, rel=1e-3), function.name


def test_the_modelled_profiles_are_up_to_date():
    checked = subprocess.run(
        [sys.executable, str(SCRIPTS / "profiles.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
