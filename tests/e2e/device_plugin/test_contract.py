"""The device plugin and the fake kubelet keep the contract that it has with the real one."""

import kubelet_contract as contract
import pytest


def test_the_contract_is_kept(one: object) -> None:
    kubelet = one.kubelet  # type: ignore[attr-defined]
    contract.it_offers_four_shares_and_the_whole_gpu(kubelet)
    contract.two_shares_for_one_container_are_refused(kubelet)
    contract.a_container_finds_its_slot_and_the_record_names_it(kubelet)
    contract.a_whole_gpu_and_its_shares_exclude_each_other(kubelet)
    contract.shares_in_use_survive_a_restart_of_kubelet(kubelet)
    contract.there_are_no_more_than_four(kubelet)


def test_a_contract_that_is_broken_is_seen(make_node: object) -> None:
    few = make_node(config="apiVersion: eclip.dev/v1alpha1\nkind: NodeConfig\nshares: 3\n")  # type: ignore[operator]
    few.kubelet.admit("one", contract.SHARE)
    few.kubelet.admit("two", contract.SHARE)
    with pytest.raises(contract.RefusedError, match="Insufficient"):
        contract.there_are_no_more_than_four(few.kubelet)
