"""Which GPUs a node config shares, and what they are called."""

from dataclasses import replace

import pytest

from eclip.errors import InputError
from eclip.gpu import inventory, products
from eclip.gpu.inventory import Found
from eclip_device_plugin import node_config
from eclip_device_plugin.gpus import NodeGpu, choose
from eclip_device_plugin.node_config import NodeConfig

HEAD = "apiVersion: eclip.dev/v1alpha1\nkind: NodeConfig\n"


def gpu(index: int, unique_id: int, pci: str, product: str = "MI50") -> NodeGpu:
    shape = replace(products.gpu_for(product), node=index + 1, unique_id=unique_id, render_minor=128 + index)
    return NodeGpu(Found(shape, pci), index)


def distinct(gpus: list[NodeGpu]) -> list[NodeGpu]:
    return [
        replace(gpu, found=found) for gpu, found in zip(gpus, inventory.distinct([g.found for g in gpus]), strict=True)
    ]


FOUND = distinct([gpu(0, 0xE1100000000000A1, "0000:03:00.0"), gpu(1, 0xE1100000000000B2, "0000:83:00.0")])


def config(text: str) -> NodeConfig:
    return node_config.parse(HEAD + text, "c")


def test_all_gpus_are_shared_where_none_is_named() -> None:
    chosen = choose(config("shares: 3\nceiling: 30\n"), FOUND, "c")

    assert [(choice.gpu.id, choice.shares) for choice in chosen] == [("e1100000000000a1", 3), ("e1100000000000b2", 3)]
    assert {choice.ceiling for choice in chosen} == {30}


@pytest.mark.parametrize(
    "name",
    [
        "1",
        "0xe1100000000000b2",
        "0xE1100000000000B2",
        "'0xe1100000000000b2'",
        "GPU-e1100000000000b2",
        "'0000:83:00.0'",
        "'83:00.0'",
    ],
)
def test_a_gpu_is_known_by_index_unique_id_and_address(name: str) -> None:
    (choice,) = choose(config(f"gpus: [{{gpu: {name}, shares: 2}}]\n"), FOUND, "c")

    assert (choice.gpu.id, choice.shares) == ("e1100000000000b2", 2)


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        (
            "[{gpu: 7}]",
            "c: gpu 7: is not on this node; there are: 0 = 0xe1100000000000a1 = 0000:03:00.0, "
            "1 = 0xe1100000000000b2 = 0000:83:00.0",
        ),
        (
            "[{gpu: 0}, {gpu: 0xe1100000000000a1}]",
            "c: gpu 0xe1100000000000a1: is named twice; keep one entry for 0000:03:00.0",
        ),
        ("[{gpu: first}]", "c: gpu first: is neither an index, a unique id (0x...) nor a PCI address"),
        ("[{gpu: 0, ceiling: 31}]", "c: ceiling 31: MI50 with 60 CUs gives whole se atoms only; use 30 or 45"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_what_could(gpus: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        choose(config(f"gpus: {gpus}\n"), FOUND, "c")

    assert str(refusal.value) == said


def test_a_lenient_reader_passes_over_a_gpu_that_is_gone() -> None:
    chosen = choose(config("gpus: [{gpu: 7}, {gpu: 0}]\n"), FOUND, "c", lenient=True)

    assert [choice.gpu.id for choice in chosen] == ["e1100000000000a1"]


def test_partitions_get_ids_of_their_own_that_last() -> None:
    partitions = [gpu(index, 0xC3, "0000:05:00.0", "MI300X") for index in range(8)]

    named = distinct(partitions)

    assert len({one.id for one in named}) == 8
    assert {one.found.uuid for one in named} == {None}
    assert named == distinct(partitions)
    assert all(len(one.id) <= 16 for one in named)


def test_gpus_without_a_unique_id_get_one_by_their_address() -> None:
    first, second = distinct([gpu(0, 0, "0000:03:00.0"), gpu(1, 0, "0000:83:00.0")])

    assert first.id != second.id
    assert (first.found.uuid, second.found.uuid) == (None, None)


def test_a_gpu_of_its_own_id_is_known_to_rocr() -> None:
    assert FOUND[0].found.uuid == "GPU-e1100000000000a1"
