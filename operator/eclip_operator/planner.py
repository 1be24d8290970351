"""`python -m eclip_operator.planner`: answers questions, one after another, until its input ends.

A program of its own, so that it has nothing in its memory but the planner, and can be killed. Each request and each
answer is a pickle after its length.
"""

import os
import pickle
import struct
import sys
from typing import BinaryIO

LENGTH = struct.Struct("<I")
NICENESS = 5
"""Where CPUs are few, changes are seen and written before plans are made."""


def framed(value: object) -> bytes:
    """A request or an answer as it is sent."""
    data = pickle.dumps(value)
    return LENGTH.pack(len(data)) + data


def main() -> None:
    """Serves standard input and output."""
    from eclip_operator import solving  # noqa: PLC0415 - those who only speak to it do without

    os.nice(NICENESS)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever prints, prints into the log.
    os.dup2(2, 1)
    while length := requests.read(LENGTH.size):
        question, texts, time_limit_s = pickle.loads(requests.read(*LENGTH.unpack(length)))
        _send(answers, solving.answer(question, texts, time_limit_s))


def _send(answers: BinaryIO, outcome: object) -> None:
    answers.write(framed(outcome))
    answers.flush()


if __name__ == "__main__":
    main()
