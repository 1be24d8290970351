"""Which node we are on: what the API server itself wrote into our token. Pure."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from eclip.errors import InputError


@dataclass(frozen=True, slots=True)
class Node:
    """The Node that a token is bound to."""

    name: str
    uid: str


def node_of(token: str) -> Node:
    """The node claim of a service account's token. Not verified: it is only used to speak of ourselves, and the API
    server checks what we say.

    Raises:
        InputError: it is no token, or it has no such claim.
    """
    claims = _payload(token).get("kubernetes.io")
    node = claims.get("node") if isinstance(claims, dict) else None
    if not isinstance(node, dict) or not all(isinstance(node.get(key), str) for key in ("name", "uid")):
        raise InputError("the token has no node claim; it takes a projected token of Kubernetes 1.30 or later")
    return Node(node["name"], node["uid"])


def _payload(token: str) -> dict[str, Any]:
    parts = token.strip().split(".")
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, binascii.Error):
        raise InputError("the token is no JSON web token; mount a projected service account token") from None
    return payload if isinstance(payload, dict) else {}
