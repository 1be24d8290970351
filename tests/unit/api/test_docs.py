"""The documentation has every condition, reason and state, and every one of them is in use."""

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest

from eclip.api.conditions import NodeCondition, NodeReason, PolicyCondition, PolicyReason
from eclip.api.node import Why
from eclip.api.node_status import HealthReason, SlotReason, SlotState

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "kubernetes" / "conditions.md").read_text()
WORDS = (PolicyCondition, PolicyReason, NodeCondition, NodeReason, SlotState, SlotReason, HealthReason)
SOURCES = "\n".join(
    path.read_text()
    for folder in ("operator", "device_plugin", "node_agent", "core")
    for path in (ROOT / folder).rglob("*.py")
    if path.parent != ROOT / "core" / "eclip" / "api"
)


@pytest.mark.parametrize("words", WORDS)
def test_every_word_is_explained(words: type[StrEnum]) -> None:
    assert [word.value for word in words if f"`{word.value}`" not in PAGE] == []


def test_every_reason_for_no_masks_is_explained() -> None:
    assert [why for why in get_args(Why) if f"`{why}`" not in PAGE] == []


@pytest.mark.parametrize("words", WORDS)
def test_every_word_is_used_by_somebody(words: type[StrEnum]) -> None:
    spoken = {word for word in words if re.search(rf"\b{words.__name__}\.{word.name}\b", SOURCES)}

    # Made from texts: the reasons of profiles and refusals, which come as words.
    assert [word.name for word in words if word not in spoken and f'"{word.value}"' not in SOURCES] == []
