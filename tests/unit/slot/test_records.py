"""The Python mirror of the slot folder's layouts agrees with the C header."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from eclip.slot import records

INCLUDE = Path(__file__).parents[3] / "native" / "include"
STRUCTS = {
    "eclip_control": records.CONTROL,
    "eclip_stats_header": records.STATS_HEADER,
    "eclip_profile_header": records.PROFILE_HEADER,
    "eclip_model_counters": records.MODEL_COUNTERS,
    "eclip_counters": records.COUNTERS,
    "eclip_stream_proof": records.STREAM_PROOF,
    "eclip_client": records.CLIENT,
}
CONSTANTS = {
    "ECLIP_SLOT_VERSION": records.VERSION,
    "ECLIP_CONTROL_MAGIC": records.CONTROL_MAGIC,
    "ECLIP_STATS_MAGIC": records.STATS_MAGIC,
    "ECLIP_PROFILE_MAGIC": records.PROFILE_MAGIC,
    "ECLIP_CONTROL_BYTES": records.CONTROL_BYTES,
    "ECLIP_CLIENTS": records.CLIENTS,
    "ECLIP_MODELS": records.MODELS,
    "ECLIP_STREAMS": records.STREAMS,
    "ECLIP_MASK_WORDS": records.MASK_WORDS,
    "ECLIP_BUCKETS": records.BUCKETS,
    "ECLIP_REASONS": records.REASONS,
    "ECLIP_STATS_HEADER_BYTES": records.STATS_HEADER_BYTES,
    "ECLIP_CLIENT_BYTES": records.CLIENT_BYTES,
    "ECLIP_PROFILE_BYTES": records.PROFILE_BYTES,
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What a C compiler says: `struct`, `struct.field` -> size or offset, `CONSTANT` -> value."""
    prints = [f'printf("{name} %zu\\n", sizeof({name}));' for name in STRUCTS]
    for name, dtype in STRUCTS.items():
        prints += [f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));' for field in dtype.names or ()]
    prints += [f'printf("{name} %llu\\n", (unsigned long long){name});' for name in CONSTANTS]
    source = '#include <stddef.h>\n#include <stdio.h>\n#include "eclip/slot.h"\nint main(void) {\n'
    folder = tmp_path_factory.mktemp("records")
    (folder / "print.c").write_text(source + "\n".join(prints) + "\nreturn 0;\n}\n")
    subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Werror", f"-I{INCLUDE}", "print.c", "-o", "print"], cwd=folder, check=True
    )
    lines = subprocess.run([folder / "print"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


@pytest.mark.parametrize("name", STRUCTS)
def test_sizes_and_offsets_agree_with_the_header(compiled: dict[str, int], name: str) -> None:
    dtype: np.dtype[np.void] = STRUCTS[name]
    assert dtype.fields is not None

    mirrored = {name: dtype.itemsize} | {f"{name}.{field}": entry[1] for field, entry in dtype.fields.items()}

    assert {key: compiled[key] for key in mirrored} == mirrored


def test_constants_agree_with_the_header(compiled: dict[str, int]) -> None:
    assert {name: compiled[name] for name in CONSTANTS} == CONSTANTS


@pytest.mark.parametrize("struct", STRUCTS)
def test_no_field_of_the_header_is_left_out(struct: str) -> None:
    header = (INCLUDE / "eclip" / "slot.h").read_text()
    body = re.search(rf"typedef struct {struct} {{(.*?)}} {struct};", header, re.DOTALL)
    assert body is not None

    declared = re.findall(r"(\w+)(?:\[\w+\])?;", re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL))

    assert list(STRUCTS[struct].names or ()) == declared


def test_every_reason_of_the_header_has_its_word() -> None:
    header = (INCLUDE / "eclip" / "slot.h").read_text()

    declared = re.findall(r"^  ECLIP_PASS_(\w+)", header, re.MULTILINE)

    assert list(records.PASS_REASONS) == [name.lower().replace("_", "-") for name in declared]


@pytest.mark.parametrize(
    ("name", "prefix", "words"),
    [
        ("mode", "ECLIP_", records.MODES),
        ("refusal", "ECLIP_TABLE_", records.REFUSALS),
        ("way", "ECLIP_WAY_", records.WAYS),
    ],
)
def test_every_word_of_an_enumeration_is_known(name: str, prefix: str, words: tuple[str, ...]) -> None:
    header = (INCLUDE / "eclip" / "slot.h").read_text()
    body = re.search(rf"typedef enum eclip_{name} {{(.*?)}}", header, re.DOTALL)
    assert body is not None

    declared = re.findall(rf"{prefix}(\w+)", body[1])

    assert list(words) == [word.lower().replace("_", "-") for word in declared]


def test_a_client_fits_its_record() -> None:
    assert records.CLIENT.itemsize <= records.CLIENT_BYTES
