"""Which GPU of several is meant."""

from dataclasses import replace

import pytest

from eclip.errors import InputError
from eclip.gpu import products
from eclip.host import gpus

TWO = tuple(replace(products.gpu_for("MI50"), unique_id=number) for number in (0xABC, 0xDEF))


@pytest.mark.parametrize(("which", "index"), [(0, 0), ("1", 1), ("0xdef", 1), (0xABC, 0), (str(0xDEF), 1)])
def test_by_index_or_unique_id(which, index):
    assert gpus.chosen(TWO, which, "c.yaml") == index


@pytest.mark.parametrize("which", [2, -1, "0x123", "first"])
def test_a_gpu_that_is_not_there_is_refused_by_name(which):
    with pytest.raises(InputError, match=r"^c\.yaml: "):
        gpus.chosen(TWO, which, "c.yaml")


def test_the_refusal_lists_what_is_there():
    with pytest.raises(InputError, match="0x0000000000000def"):
        gpus.chosen(TWO, 5, "c.yaml")


def test_a_folder_that_is_not_there_is_no_product(tmp_path):
    with pytest.raises(InputError, match=r"missing: there is no folder .*missing; give a KFD topology tree"):
        gpus.named(f"{tmp_path}/missing")
