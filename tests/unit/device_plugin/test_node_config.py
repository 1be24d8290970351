"""What an administrator may say about a node, and what is answered to what may not be."""

import re
from pathlib import Path

import pytest

from eclip.errors import InputError
from eclip.node.record import Injection
from eclip_device_plugin import node_config

HEAD = "apiVersion: eclip.dev/v1alpha1\nkind: NodeConfig\n"


def test_an_empty_config_has_every_default() -> None:
    config = node_config.parse(HEAD, "default.yaml")

    assert (config.resource, config.whole_resource, config.shares) == ("eclip.dev/gpu-share", "eclip.dev/gpu", 4)
    assert (config.gpus, config.ceiling, config.placement, config.same_gpu) == (None, None, "spread", "refuse")
    assert (config.injection, config.hardware_queues) == (Injection.PRELOAD, 1)


def test_every_field_can_be_turned() -> None:
    config = node_config.parse(
        HEAD + "resource: example.com/slice\nwholeGPUResource: example.com/card\nshares: 8\nceiling: 45\n"
        "gpus: [{gpu: 0, shares: 1}, {gpu: '0000:83:00.0', ceiling: 30}, {gpu: 0xe11b50000000001}]\n"
        "placement: pack\nsameGPU: allow\ninjection: none\nhardwareQueues: 4\n",
        "lab.yaml",
    )

    assert (config.resource, config.whole_resource) == ("example.com/slice", "example.com/card")
    assert config.gpus is not None
    assert [(entry.gpu, entry.shares, entry.ceiling) for entry in config.gpus] == [
        (0, 1, None),
        ("0000:83:00.0", None, 30),
        (0xE11B50000000001, None, None),
    ]
    assert (config.placement, config.same_gpu, config.injection) == ("pack", "allow", Injection.NONE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shares: 0\n", "node.yaml:3: shares: is 0; should be at least 1"),
        ("shares: 9\n", "node.yaml:3: shares: is 9; should be at most 8"),
        ("share: 4\n", "node.yaml:3: share: is no field here; did you mean 'shares'?"),
        ("gpus: []\n", "node.yaml:3: gpus: should have at least 1 items"),
        ("gpus: [{gpu: 0, shares: 9}]\n", "node.yaml:3: gpus[0].shares: is 9; should be at most 8"),
        ("injection: audit\n", "node.yaml:3: injection: is 'audit'; should be 'preload' or 'none'"),
        (
            "injection: rocprofiler\n",
            "node.yaml:3: injection: is 'rocprofiler', which this version cannot do yet; use 'preload', or 'none' for "
            "shares without masks",
        ),
        ("resource: gpu\n", "node.yaml:3: resource: 'gpu' is no resource name; give DOMAIN/NAME, such as"),
        ("resource: amd.com/gpu\n", "node.yaml:3: resource: 'amd.com/gpu' is under amd.com, which others own"),
        ("resource: a.k8s.io/gpu\n", "node.yaml:3: resource: 'a.k8s.io/gpu' is under a.k8s.io, which others own"),
        ("resource: eclip.dev/gpu\n", "node.yaml:3: resource: is 'eclip.dev/gpu', as wholeGPUResource is"),
        ("placement: random\n", "node.yaml:3: placement: is 'random'; should be 'pack' or 'spread'"),
        ("hardwareQueues: 5\n", "node.yaml:3: hardwareQueues: is 5; should be at most 4"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        node_config.parse(HEAD + text, "node.yaml")

    assert str(refusal.value).startswith(said)


def test_the_documented_config_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs/kubernetes/device-plugin.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    config = node_config.parse(text, "device-plugin.md")

    assert config.gpus is not None
    assert [entry.shares or config.shares for entry in config.gpus] == [8, 4, 4]
    documented = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    assert documented == {field.alias or name for name, field in node_config.NodeConfig.model_fields.items()}
