"""What the chip's file says at each moment of its life."""

from pathlib import Path

import pytest

from eclip.emulated import EmulatedGpu
from eclip.errors import InputError

SUMMARY_BYTES = 4096


@pytest.fixture
def gpu(tmp_path: Path) -> EmulatedGpu:
    made = EmulatedGpu("MI50", tmp_path)
    made.chip_path().parent.mkdir(parents=True, exist_ok=True)
    return made


def test_before_the_first_program_all_meters_are_zero(gpu: EmulatedGpu) -> None:
    assert gpu.reading().packets.dispatch == 0


def test_while_the_first_program_makes_it_all_meters_are_zero(gpu: EmulatedGpu) -> None:
    """The mark of a whole file is written last."""
    gpu.chip_path().write_bytes(b"\0" * 8 + b"\4" + b"\xeb" * SUMMARY_BYTES)

    assert gpu.reading().micros == 0


def test_a_foreign_file_is_refused(gpu: EmulatedGpu) -> None:
    gpu.chip_path().write_bytes(b"foreign!" + b"\0" * SUMMARY_BYTES)

    with pytest.raises(InputError, match="chip0: no state of an emulated chip"):
        gpu.reading()
