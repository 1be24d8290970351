"""One run at a time has a GPU."""

import subprocess
import sys

import pytest

from eclip.errors import EclipError, InputError
from eclip.host.claim import Claim


def test_a_gpu_that_is_taken_names_who_has_it(tmp_path):
    with Claim(tmp_path, "0123", "GPU 0", "eclip run 7 of a.yaml"):
        with pytest.raises(InputError, match=r"GPU 0: eclip run 7 of a\.yaml has it"):
            Claim(tmp_path, "0123", "GPU 0", "eclip run 8 of b.yaml")
        Claim(tmp_path, "4567", "GPU 1", "eclip run 8 of b.yaml").release()


def test_a_gpu_is_free_again_after_its_holder(tmp_path):
    Claim(tmp_path, "0123", "GPU 0", "eclip run 7 of a rather long file name.yaml").release()

    with Claim(tmp_path, "0123", "GPU 0", "eclip run 8"), pytest.raises(InputError, match="GPU 0: eclip run 8 has it"):
        Claim(tmp_path, "0123", "GPU 0", "eclip run 9")


def test_a_holder_that_was_killed_holds_nothing(tmp_path):
    program = (
        "import os; from pathlib import Path; from eclip.host.claim import Claim;"
        f"claim = Claim(Path({str(tmp_path)!r}), '0123', 'GPU 0', 'it'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9

    Claim(tmp_path, "0123", "GPU 0", "eclip run 8").release()


def test_a_state_root_that_cannot_be_written_is_an_error_of_one_line(tmp_path):
    (tmp_path / "gpus").write_text("in the way")

    with pytest.raises(EclipError, match=r"gpus/0123.lock: cannot be opened \(.*\)$"):
        Claim(tmp_path, "0123", "GPU 0", "eclip run 8")
