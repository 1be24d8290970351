"""What a killed run leaves is taken away by the next one; what somebody waits for stays."""

import os
import subprocess
import sys

from eclip.host import leftovers
from eclip.slot import Slot, folders


def test_slots_of_a_run_that_is_gone_are_removed_and_told(tmp_path):
    Slot.create(tmp_path, "a", leftovers.allocation()).close()
    said = []

    leftovers.sweep(tmp_path, said.append)

    assert folders(tmp_path) == ()
    assert said == ["removed slot a of a run that was killed"]


def test_slots_of_a_living_run_and_those_made_by_hand_stay(tmp_path):
    said = []
    Slot.create(tmp_path, "mine", "0123456789ab").close()
    with Slot.create(tmp_path, "running", leftovers.allocation()):
        leftovers.sweep(tmp_path, said.append)

        assert [folder.parent.name for folder in folders(tmp_path)] == ["mine", "running"]
    assert said == []


def test_files_of_an_emulated_gpu_go_with_their_run(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getpid()):
        (tmp_path / "emulated" / str(process)).mkdir(parents=True)

    leftovers.sweep(tmp_path, print)

    assert [folder.name for folder in (tmp_path / "emulated").iterdir()] == [str(os.getpid())]


def test_output_of_past_runs_stays_until_too_many_have_followed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"{kind}{ended.pid}" for kind in ("", *(f"profile-{n}-" for n in range(leftovers.LOGS_KEPT + 1)))]
    for age, name in enumerate([*names, str(os.getpid()), "mine"]):
        folder = tmp_path / "logs" / name
        folder.mkdir(parents=True)
        (folder / "a.log").touch()
        os.utime(folder, (age, age))

    assert leftovers.logs(tmp_path, "profile-") == tmp_path / "logs" / f"profile-{os.getpid()}"

    left = {folder.name for folder in (tmp_path / "logs").iterdir()}
    assert left == {*names[2:], str(os.getpid()), "mine"}
