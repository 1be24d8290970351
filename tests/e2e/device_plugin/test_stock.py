"""Slot folders that are laid out ahead: whole ones only, of this version only, each given once."""

import shutil
from pathlib import Path

from eclip.node.record import Injection
from eclip.slot import records
from eclip_device_plugin import allocations
from eclip_device_plugin.stock import STOCK, Stock


def prepared(state: Path) -> set[str]:
    return {path.name for path in (state / "prepared").glob("*/*")}


def test_a_stock_is_filled_once_and_outlives_its_process(tmp_path: Path) -> None:
    stock = Stock(tmp_path)
    for _ in range(2 * STOCK):
        stock.fill()
    kept = prepared(tmp_path)
    assert len(kept) == STOCK

    later = Stock(tmp_path)

    assert {later.take().name for _ in range(STOCK)} == kept


def test_what_is_not_whole_or_of_another_version_goes(tmp_path: Path) -> None:
    Stock(tmp_path).fill()
    (whole,) = prepared(tmp_path)
    (tmp_path / "prepared" / str(records.VERSION) / ".half.new").mkdir()
    (tmp_path / "prepared" / "0" / "old").mkdir(parents=True)

    stock = Stock(tmp_path)

    assert prepared(tmp_path) == {whole}
    assert stock.take().name == whole
    assert stock.take().name != whole


def test_a_folder_that_somebody_took_away_is_not_given(tmp_path: Path) -> None:
    stock = Stock(tmp_path)
    stock.fill()
    (gone,) = prepared(tmp_path)
    shutil.rmtree(tmp_path / "prepared")

    taken = stock.take()

    assert taken.name != gone
    assert taken.is_dir()


def test_an_allocation_is_made_of_it_and_when_it_is_empty_of_a_new_folder(tmp_path: Path) -> None:
    stock = Stock(tmp_path)
    stock.fill()
    laid_out = [stock.take(), stock.take()]
    inode = laid_out[0].stat().st_ino

    made = [
        allocations.make(
            tmp_path, "a-s00", "a", whole=False, library="1", injection=Injection.NONE, ceiling=None, laid_out=one
        )
        for one in laid_out
    ]

    assert made[0][0].stat().st_ino == inode
    assert prepared(tmp_path) == set()
    assert allocations.in_use(tmp_path) == {"a-s00": tuple(sorted(record.allocation for _, record in made))}
    assert {path.name for path in made[0][0].iterdir()} == {path.name for path in made[1][0].iterdir()}
