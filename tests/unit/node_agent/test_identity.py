"""Which node a token speaks of."""

import base64
import json

import pytest

from eclip.errors import InputError
from eclip_node_agent import identity
from eclip_node_agent.identity import Node


def token(payload: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.c2ln"


def test_the_node_is_the_one_that_the_api_server_wrote_into_the_token() -> None:
    claims = {"kubernetes.io": {"namespace": "eclip", "node": {"name": "node-a", "uid": "u-1"}}}

    assert identity.node_of(token(claims) + "\n") == Node("node-a", "u-1")


@pytest.mark.parametrize(
    "text",
    ["", "abc", "a.b.c", "e30.!!!.x", token([]), token({}), token({"kubernetes.io": {"node": {"name": "a"}}}),
     token({"kubernetes.io": {"node": "a"}}), token({"kubernetes.io": 3})],
)  # fmt: skip
def test_a_token_without_a_node_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="the token"):
        identity.node_of(text)
