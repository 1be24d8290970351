"""One answer, three forms, and files that are whole or untouched."""

import json

import pytest
import yaml
from rich.table import Table

from eclip import atomic
from eclip.cli import output
from eclip.errors import EclipError

ANSWER = {"name": "a", "values": [1, 2.5], "nested": {"on": True}}


def table() -> Table:
    made = Table("name")
    made.add_row("a")
    return made


def test_json_and_yaml_carry_the_same_answer():
    assert json.loads(output.text(ANSWER, output.Format.JSON, table)) == ANSWER
    assert yaml.safe_load(output.text(ANSWER, output.Format.YAML, table)) == ANSWER


def test_the_table_is_for_people():
    shown = output.text(ANSWER, output.Format.TABLE, table, width=60)

    assert "name" in shown
    assert "{" not in shown


def test_a_file_replaces_the_old_one_whole_and_leaves_nothing_beside_it(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text("old")

    output.answer(ANSWER, output.Format.JSON, table, file)

    assert json.loads(file.read_text()) == ANSWER
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(EclipError, match=r"nowhere/plan\.json: cannot be written"):
        output.answer(ANSWER, output.Format.JSON, table, tmp_path / "nowhere" / "plan.json")


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "plan.json"
    file.write_text("old")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", no_space)
    with pytest.raises(EclipError, match="No space left"):
        atomic.write(file, "new")

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
