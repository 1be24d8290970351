"""One wheel for any Python 3, made from the source archive, works in an environment that has nothing of the tree."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(1800)  # the wheel is compiled
ROOT = Path(__file__).parents[3]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    script = "from scikit_build_core.build import build_sdist; import sys; print(build_sdist(sys.argv[1]))"
    run(sys.executable, "-c", script, folder, cwd=ROOT)
    (archive,) = folder.glob("eclip-*.tar.gz")
    shutil.unpack_archive(archive, folder)
    source = folder / archive.name.removesuffix(".tar.gz")
    script = "from scikit_build_core.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    run(sys.executable, "-c", script, folder, cwd=source)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel; its dependencies are those of the running one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    run(folder / "bin" / "pip", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    site = next(folder.glob("lib/python3*/site-packages"))
    # Behind its own packages, and without the running environment's link into this tree.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


def test_the_wheel_is_for_any_python_3_on_this_kind_of_machine(wheel: Path) -> None:
    assert wheel.name.split("-", maxsplit=2)[2] == "py3-none-manylinux_2_17_x86_64.whl"


def test_the_wheel_holds_the_libraries_and_nothing_of_the_testbed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    native = {name.removeprefix("eclip/native/") for name in names if name.startswith("eclip/native/")}

    assert {"libeclip_contention.so", "libeclip_hip.so", "libeclip_planner.so"} <= native
    assert not {name for name in native if name.startswith(("emulator/", "workloads/"))}
    assert {name for name in native if name.startswith("probe/")} == {
        f"probe/probe-{gfx}.co" for gfx in ("gfx906", "gfx908", "gfx90a", "gfx1030", "gfx1100")
    }
    assert {"eclip/gpu/products.yaml", "eclip/py.typed", "eclip/slot/wire/table_generated.py"} <= set(names)
    assert not {name for name in names if name.startswith("tests") or "__pycache__" in name}


def test_the_command_starts_in_a_fresh_environment(installed: Path) -> None:
    shown = run(installed / "eclip", "--help", cwd=installed, COLUMNS="100")

    assert "plan" in shown
    assert "run" in shown


def test_the_package_finds_its_own_libraries(installed: Path) -> None:
    script = "import ctypes, pathlib, eclip; p = pathlib.Path(eclip.__file__).parent / 'native'; print(p)\n"
    script += "[ctypes.CDLL(str(f)) for f in sorted(p.glob('*.so'))]"

    folder = run(installed / "python", "-c", script, cwd=installed).strip()

    assert Path(folder).is_relative_to(installed.parent)


def test_the_command_plans_in_a_fresh_environment(installed: Path) -> None:
    shown = run(installed / "eclip", "layout", "--gpu", "MI50", "--workers", "2", "--sizes", "15,30,45", cwd=installed)

    assert "0x0111111111111111" in shown
