"""Edge: `kubectl eclip profile`: asks for a pod's profile, waits for it, reads it, and takes the request back.

The wish is an annotation of the pod, written with the user's rights; the operator grants it. The profile is read by
`kubectl exec` in the agent of the pod's node, and believed only after it was validated here.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import yaml

from eclip.api import KernelProfile, names
from eclip.documents import profile
from eclip.errors import EclipError, InputError
from eclip.kubectl import cluster
from eclip.kubectl.client import Kubectl
from eclip.kubectl.cluster import Place
from eclip.slot import records

POLL_S = 1.0
AGENT_LABELS = "app.kubernetes.io/part-of=eclip,app.kubernetes.io/component=node"
AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to profile."""

    place: Place
    name: str
    """Of the KernelProfile to make."""
    shared: bool
    """Although others are busy on the GPU."""
    patience_s: float


def refuse_if_busy(place: Place, others: tuple[Place, ...], *, shared: bool) -> None:
    """Raises InputError if somebody else is busy on the GPU: the times would be those of both."""
    busy = [other.pod for other in others if other.busy]
    if busy and not shared:
        raise InputError(
            f"GPU {place.gpu.id} is in use by {', '.join(busy[:3])}: times measured now would be too long; stop them, "
            "or say --shared"
        )


def take(wish: Wish, kubectl: Kubectl, progress: Callable[[int], None]) -> KernelProfile:
    """The pod's profile as an object of its namespace, not yet applied.

    Raises:
        EclipError: it was not granted, failed, took too long, or is no profile.
    """
    reader = _reader(wish.place, kubectl)
    before = _read(reader, kubectl)
    _ask(wish, kubectl)
    try:
        text = _await(wish, reader, before, kubectl, progress)
    finally:
        _take_back(wish, kubectl)
    return _object(wish, text)


def document(found: KernelProfile) -> dict[str, Any]:
    """What `kubectl apply` takes."""
    return found.wire()


def _ask(wish: Wish, kubectl: Kubectl) -> None:
    pod = wish.place.status.pod
    assert pod
    value = "shared" if wish.shared else "exclusive"
    target = ("pod", pod.name, f"--namespace={pod.namespace}", "--overwrite")
    kubectl.run("annotate", *target, f"{names.ANNOTATION_PROFILE}={value}")
    try:
        kubectl.run("label", *target, f"{names.LABEL_PROFILE}={value}")
    except BaseException:
        _take_back(wish, kubectl)
        raise


def _take_back(wish: Wish, kubectl: Kubectl) -> None:
    pod = wish.place.status.pod
    assert pod
    # The label last: by it the operator watches the pod.
    for verb, key in (("annotate", names.ANNOTATION_PROFILE), ("label", names.LABEL_PROFILE)):
        with suppress(EclipError):  # the pod may be gone, and with it the wish
            kubectl.run(verb, "pod", pod.name, f"--namespace={pod.namespace}", f"{key}-")


def _reader(place: Place, kubectl: Kubectl) -> tuple[str, ...]:
    """The words after `kubectl` that print the slot's profile."""
    found = kubectl.items(
        "pods", "--all-namespaces", f"--selector={AGENT_LABELS}", f"--field-selector=spec.nodeName={place.node}"
    )
    if not found:
        raise EclipError(f"node {place.node}: no agent is to be seen there; may you list pods in all namespaces?")
    pod = found[0]
    agent: dict[str, Any] = next((each for each in pod["spec"]["containers"] if each["name"] == AGENT), {})
    state = [word for word in agent.get("args", []) if word.startswith("--state=")]
    where = (pod["metadata"]["name"], f"--namespace={pod['metadata']['namespace']}", f"--container={AGENT}")
    return (
        "exec", *where, "--", "eclip-node-agent", *state, "profile", place.status.slot, place.status.allocation,
    )  # fmt: skip


def _read(reader: tuple[str, ...], kubectl: Kubectl) -> tuple[str, int, str]:
    """State, percent and text."""
    first, _, text = kubectl.run(*reader).partition("\n")
    state, _, percent = first.partition(" ")
    if state not in records.PROFILE_STATES or not percent.isdecimal():
        raise EclipError("the agent's answer makes no sense; is it of the same version?")
    return state, int(percent), text


def _await(
    wish: Wish,
    reader: tuple[str, ...],
    before: tuple[str, int, str],
    kubectl: Kubectl,
    progress: Callable[[int], None],
) -> str:
    deadline, begun = time.monotonic() + wish.patience_s, False
    while True:
        state, percent, text = found = _read(reader, kubectl)
        # What an earlier run left is not ours, but ours may end with the same words.
        begun = begun or found != before
        if begun and state == "complete":
            return text
        if begun and state == "failed":
            raise EclipError(f"pod {wish.place.pod}: cannot be profiled: {printable(text)}")
        progress(percent if begun else 0)
        if time.monotonic() > deadline:
            raise EclipError(f"pod {wish.place.pod}: {_stuck(wish, kubectl, percent)}")
        time.sleep(POLL_S)


def _stuck(wish: Wish, kubectl: Kubectl, percent: int) -> str:
    every = cluster.nodes(kubectl.items("nodecolocations"))
    place = next((one for one in cluster.places(every) if one.status.allocation == wish.place.status.allocation), None)
    if place is None:
        return "it is gone"
    if place.spec is None or place.spec.mode != "Profile":
        return "the operator did not put it in profile mode; 'kubectl describe pod' shows its Events"
    return f"no profile within {wish.patience_s:.0f} s ({percent} %); let it serve more requests, or wait longer"


def _object(wish: Wish, text: str) -> KernelProfile:
    found = profile.parse(text, f"profile of pod {wish.place.pod}")
    checked = replace(
        found,
        name=wish.name,
        product=wish.place.gpu.product,
        origin="MeasuredShared" if wish.shared else "Measured",
    )
    pod = wish.place.status.pod
    assert pod
    data = yaml.safe_load(profile.dump(checked))
    data["metadata"] = {"name": wish.name, "namespace": pod.namespace}
    return KernelProfile.read(data)


def printable(text: str, most: int = 200) -> str:
    """A program's words on one line of a terminal: printable characters only, and no more than so many."""
    return "".join(char if char.isprintable() else " " for char in text.strip()[:most])
