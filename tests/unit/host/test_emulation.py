"""What `gpu: emulated` means, by the environment."""

from pathlib import Path

import pytest

from eclip.errors import InputError
from eclip.host import emulation


def test_an_mi50_by_default():
    assert emulation.shape({}).product == "MI50"


def test_another_product_by_name():
    assert emulation.shape({"ECLIP_EMULATED_GPU": "MI100"}).compute_units == 120


@pytest.mark.parametrize("scale", ["0", "-1", "fast", "nan", "inf"])
def test_a_time_scale_that_is_none_is_refused(scale):
    with pytest.raises(InputError, match=f"ECLIP_TIME_SCALE={scale}"):
        emulation.shape({"ECLIP_TIME_SCALE": scale})


def test_a_configuration_to_share_gives_its_own_gpu(tmp_path: Path):
    config = tmp_path / "emulator.json"
    config.write_text('{"timeScale": 3, "trace": "", "gpus": [{"product": "MI100"}]}')

    assert emulation.shape({"ECLIP_EMULATOR": str(config)}).product == "MI100"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"gpus": []}', '{"gpus": [{"product": "MI50"}], "timeScale": "x"}']
)
def test_a_damaged_configuration_is_refused_by_name(tmp_path: Path, content):
    config = tmp_path / "emulator.json"
    config.write_text(content)

    with pytest.raises(InputError, match="ECLIP_EMULATOR="):
        emulation.shape({"ECLIP_EMULATOR": str(config)})
