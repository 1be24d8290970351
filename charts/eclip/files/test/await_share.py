"""What `helm test` waits for: the program beside it has a share, in one of the states that are wanted."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def say(text: str) -> None:
    """At once, for those who read the log while the test runs."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def node_object(name: str) -> dict:
    """This node's NodeColocation; empty if it cannot be read now."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}/apis/eclip.dev/v1alpha1/nodecolocations/{name}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"})
    try:
        with urllib.request.urlopen(
            request, timeout=5, context=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        ) as answer:
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError) as error:
        say(f"NodeColocation {name}: {error}")
        return {}


def slot_of(found: dict, pod: tuple[str, str]) -> dict:
    """The slot that this pod has; empty if it has none."""
    for gpu in found.get("status", {}).get("gpus", []):
        for slot in gpu.get("slots", []):
            if (slot.get("pod", {}).get("namespace"), slot.get("pod", {}).get("name")) == pod:
                return slot | {"gpu": gpu["id"], "product": gpu["product"], "computeUnits": gpu["computeUnits"]}
    return {}


def main() -> int:
    """Exit status 0 as soon as the state is a wanted one, 1 at the end of the time."""
    wanted, seconds = sys.argv[1].split(","), float(sys.argv[2])
    node, pod = os.environ["NODE_NAME"], (os.environ["POD_NAMESPACE"], os.environ["POD_NAME"])
    told, end = "", time.monotonic() + seconds
    while time.monotonic() < end:
        slot = slot_of(node_object(node), pod)
        now = " ".join(filter(None, (slot.get("state", "no slot yet"), slot.get("reason"))))
        if now != told:
            told = now
            say(f"{node}: {now}")
        if slot.get("state") in wanted:
            say(json.dumps(slot, indent=1))
            return 0
        time.sleep(0.5)
    say(f"{told} after {seconds:g} s, not {' or '.join(wanted)}; see kubectl describe nodecolocation {node}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
