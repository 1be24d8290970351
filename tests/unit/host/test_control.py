"""How `eclip apply` finds the run that is meant, over real sockets."""

import threading
from pathlib import Path

import pytest

from eclip.errors import EclipError, InfeasibleError, InputError
from eclip.host import control

DONE = control.Answer()


class Run:
    """Answers every request in a thread, as a run's loop does."""

    def __init__(self, root: Path, file: Path, answer: control.Answer) -> None:
        self.applied: list[Path] = []
        self._door = control.Door(root, file)
        self._answer = answer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.wait(0.005):
            request = self._door.next_request()
            if request:
                self.applied.append(request.file)
                request.answer(self._answer)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._door.close()


@pytest.fixture
def run_of(tmp_path):
    runs = []

    def start(file: Path, answer: control.Answer = DONE) -> Run:
        runs.append(Run(tmp_path, file, answer))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def test_the_only_run_gets_the_file(tmp_path, run_of):
    run = run_of(tmp_path / "first.yaml")

    control.apply(tmp_path, tmp_path / "second.yaml")

    assert run.applied == [tmp_path / "second.yaml"]


def test_a_refusal_comes_back_with_its_words_and_its_exit_code(tmp_path, run_of):
    run_of(tmp_path / "a.yaml", control.Answer("no plan satisfies it", InfeasibleError.exit_code))

    with pytest.raises(InfeasibleError, match="no plan satisfies it"):
        control.apply(tmp_path, tmp_path / "a.yaml")


def test_an_unknown_refusal_is_a_failure(tmp_path, run_of):
    run_of(tmp_path / "a.yaml", control.Answer("broken", 1))

    with pytest.raises(EclipError, match="broken") as caught:
        control.apply(tmp_path, tmp_path / "a.yaml")
    assert caught.value.exit_code == 1


def test_without_a_run_there_is_nothing_to_apply_to(tmp_path):
    with pytest.raises(InputError, match="no 'eclip run' is active"):
        control.apply(tmp_path, tmp_path / "a.yaml")


def test_the_socket_of_a_killed_run_is_taken_away(tmp_path, run_of):
    run = run_of(tmp_path / "a.yaml")
    left = tmp_path / control.FOLDER / "99999999.sock"
    dead = control.socket.socket(control.socket.AF_UNIX)
    dead.bind(str(left))
    dead.close()

    control.apply(tmp_path, tmp_path / "a.yaml")

    assert run.applied == [tmp_path / "a.yaml"]
    assert not left.exists()
