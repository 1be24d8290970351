"""The API server without a cluster: what belongs to a test ends with it, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kube.bare import bare_api
from kube.commands import until

pytestmark = pytest.mark.timeout(300)
STARTER = """
import sys
from kube.bare import bare_api
with bare_api() as bare:
    print(bare.kubeconfig.parent, *bare.daemons.values(), flush=True)
    sys.stdin.read()
"""


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("eclip-bare-*"))


def test_an_api_server_ends_with_a_process_that_is_killed_and_its_files_with_the_next_one() -> None:
    path = os.pathsep.join(filter(None, sys.path))
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert starter.stdout is not None
    folder, *pids = starter.stdout.readline().split()
    assert len(pids) == 2
    assert all(Path("/proc", pid).exists() for pid in pids)

    starter.send_signal(signal.SIGKILL)
    starter.communicate(timeout=20)

    until("both daemons end", lambda: not any(Path("/proc", pid).exists() for pid in pids), within=20.0)
    assert Path(folder) in folders()
    with bare_api():
        assert Path(folder) not in folders()
