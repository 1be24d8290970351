"""Work beside a loop."""

import threading
import time

import pytest

from eclip.errors import InputError
from eclip.host.background import Background


def finished(work):
    deadline = time.monotonic() + 60
    while not work.done and time.monotonic() < deadline:
        time.sleep(0.001)
    return work


def test_the_caller_goes_on_until_the_result_is_there():
    go = threading.Event()
    work = Background(lambda: go.wait(60) and None)

    assert not work.done
    go.set()
    assert finished(work).result() is None


def test_what_the_work_raises_is_raised_where_its_result_is_taken():
    def fail():
        raise InputError("no good")

    with pytest.raises(InputError, match="no good"):
        finished(Background(fail)).result()
