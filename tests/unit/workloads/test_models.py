"""The launch sequences of the modelled networks."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[3] / "native" / "workloads" / "models"
KERNELS = {
    "albert": 304, "alexnet": 34, "densenet201": 711, "resnet152": 517, "resnext101": 543, "shufflenet": 185,
    "training": 78, "vgg19": 62,
}  # fmt: skip


def _generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MODELS / "generate.py"), *arguments], capture_output=True, text=True, check=False
    )


def _rows(model: str, *arguments: str) -> list[dict[str, str]]:
    head, *lines = _generate("--list", model, *arguments).stdout.splitlines()
    return [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]


def test_the_generated_sequences_are_up_to_date() -> None:
    checked = _generate("--check")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("model", "kernels"), KERNELS.items())
def test_a_request_has_as_many_kernels_as_the_paper_counts(model: str, kernels: int) -> None:
    assert len(_rows(model)) == kernels


def test_resnext101_and_shufflenet_share_the_papers_728_kernels() -> None:
    assert KERNELS["resnext101"] + KERNELS["shufflenet"] == 728


def test_a_vgg19_image_takes_the_multiplications_of_its_layers() -> None:
    # 19.6 G multiply-adds (Simonyan & Zisserman); the 3 x 3 layers do 2.25 times less in Winograd's form.
    flops = sum(float(row["flops"]) for row in _rows("vgg19", "--batch", "1") if row["function"].startswith("wino"))
    assert flops * 2.25 / 2 == pytest.approx(19.5e9, rel=0.01)


def test_densenet201_moves_its_features_at_every_concatenation() -> None:
    sizes = [int(row["m"]) for row in _rows("densenet201", "--batch", "1") if row["function"] == "concat"]
    assert len(sizes) == 98 + 4
    assert sizes[:3] == [64 * 56 * 56, 96 * 56 * 56, 128 * 56 * 56]
    assert sizes[-1] == 1920 * 7 * 7


@pytest.mark.parametrize("model", KERNELS)
def test_a_larger_batch_has_the_same_kernels_and_more_workgroups(model: str) -> None:
    one, two = _rows(model, "--batch", "1"), _rows(model, "--batch", "2")
    assert [row["function"] for row in one] == [row["function"] for row in two]

    def workgroups(row: dict[str, str]) -> int:
        return int(row["grid_x"]) * int(row["grid_y"]) * int(row["grid_z"])

    assert all(workgroups(a) <= workgroups(b) for a, b in zip(one, two, strict=True))
    assert sum(map(workgroups, one)) < sum(map(workgroups, two))


@pytest.mark.parametrize("model", KERNELS)
def test_every_buffer_is_written_before_it_is_read(model: str) -> None:
    rows = _rows(model)
    activations = {int(row["out"]) for row in rows}
    written = {1}  # the input
    for row in rows:
        for operand in (int(row["in0"]), int(row["in1"])):
            assert operand in written or operand not in activations or model == "training"
        written.add(int(row["out"]))


@pytest.mark.parametrize("model", ["albert", "densenet201", "resnet152", "resnext101", "shufflenet", "vgg19"])
def test_memory_is_used_again_so_that_kernels_must_also_wait_for_readers(model: str) -> None:
    writers = Counter(row["out"] for row in _rows(model))
    assert len(writers) <= 10
    assert max(writers.values()) > 10
