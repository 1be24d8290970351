"""What a slot says on a node with very many of them."""

import pytest

from eclip.api.node import GpuSpec


@pytest.fixture
def crowd(stage, make_policy, make_profile, make_workload):
    """A node with as many GPUs as asked for, each with eight pods: one of another policy, one of none."""

    def made(gpus):
        stage.put(
            make_profile("alex"),
            make_policy("p", make_workload("a", ("alex",)), age=1),
            make_policy("q", make_workload("b", ("alex",))),
        )
        stage.node("n", *(f"a{number}" for number in range(gpus)))
        for gpu in range(gpus):
            for number in range(8):
                stage.pod(f"{'cb'[number] if number < 2 else 'a'}-{gpu}{number}", "n", f"a{gpu}")
        return [GpuSpec.model_validate(gpu) for gpu in stage.settle().spec("n")["gpus"]]

    return made


def test_up_to_sixty_four_slots_say_all(crowd):
    gpus = crowd(8)

    assert {slot.policy for gpu in gpus for slot in gpu.slots} == {"team/p", "team/q", None}
    assert all(slot.policy for gpu in gpus for slot in gpu.slots if slot.workload)


def test_beyond_a_slot_leaves_out_what_its_gpu_says_and_no_reader_is_misled(crowd):
    gpus = crowd(9)

    assert {slot.policy for gpu in gpus for slot in gpu.slots} == {"team/q", None}
    for gpu in gpus:
        owners = {slot.workload: gpu.policy_of(slot) for slot in gpu.slots}
        assert owners == {"a": "team/p", "b": "team/q", None: None}
