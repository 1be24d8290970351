"""Energy is integrated from power, and memory is warned about once."""

from pathlib import Path

import pytest

from eclip.gpu import products
from eclip.host.meter import MemoryWatch
from eclip.host.sysfs_meter import SysfsMeter

GIB = 2**30


class Board:
    """A device folder of sysfs, and a clock."""

    def __init__(self, drm: Path) -> None:
        self.gpu = products.gpu_for("MI50")
        self.now = 100.0
        self.drm = drm
        self.device = drm / f"renderD{self.gpu.render_minor}" / "device"
        (self.device / "hwmon/hwmon3").mkdir(parents=True)

    def show(self, watts: float, used: int) -> None:
        (self.device / "hwmon/hwmon3/power1_average").write_text(f"{round(watts * 1e6)}\n")
        (self.device / "mem_info_vram_used").write_text(f"{used}\n")

    def meter(self) -> SysfsMeter:
        return SysfsMeter(self.gpu, self.drm, lambda: self.now)


def test_energy_is_power_over_time(tmp_path):
    board = Board(tmp_path)
    board.show(100, GIB)
    meter = board.meter()
    board.now += 2
    board.show(200, 3 * GIB)
    first = meter.reading()
    board.now += 1

    assert first.joules == pytest.approx(300.0)
    assert (first.micros, first.vram_used_bytes) == (2e6, 3 * GIB)
    assert meter.reading().minus(first).joules == pytest.approx(200.0)


def test_a_board_that_tells_nothing_is_not_guessed_at(tmp_path):
    reading = Board(tmp_path).meter().reading()

    assert (reading.joules, reading.busy_cu_micros, reading.vram_used_bytes) == (None, None, None)


def test_full_memory_is_told_once_and_again_after_it_was_free():
    watch = MemoryWatch(16 * GIB)
    said = [watch.note(round(share * 16 * GIB)) for share in (0.5, 0.96, 0.97, 0.93, 0.96, 0.5, 0.96)]

    assert [bool(what) for what in said] == [False, True, False, False, False, False, True]
    assert "15.4 of 16.0 GiB" in str(said[1])


def test_unknown_memory_is_no_reason_to_warn():
    assert MemoryWatch(16 * GIB).note(None) is None
    assert MemoryWatch(0).note(5) is None
