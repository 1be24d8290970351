"""Documents: strict, and every complaint names file, line and field."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip import documents
from eclip.errors import InputError


class Leaf(documents.Part):
    count: int = 0
    ratio: float = 1.0
    label: str = "none"


class Tree(documents.Document):
    kind: Literal["Tree"]
    leaves: tuple[Leaf, ...] = ()


HEAD = "apiVersion: eclip.dev/v1alpha1\nkind: Tree\n"


def complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        documents.parse(Tree, text, "tree.yaml")
    return str(caught.value)


def test_a_good_document_is_taken_as_it_is() -> None:
    tree = documents.parse(Tree, HEAD + "leaves:\n- {count: 3, ratio: 2}\n- {label: '7'}\n", "tree.yaml")

    assert tree.leaves == (Leaf(count=3, ratio=2.0), Leaf(label="7"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "tree.yaml: is empty; a document starts with 'apiVersion: eclip.dev/v1alpha1'"),
        ("- 1\n", "tree.yaml:1: should be a mapping, like {key: value}"),
        ("kind: Tree\n", "tree.yaml:1: apiVersion: is missing"),
        (HEAD + "leafs: []\n", "tree.yaml:3: leafs: is no field here; did you mean 'leaves'?"),
        (HEAD + "zzz: []\n", "tree.yaml:3: zzz: is no field here; fields are apiVersion, kind, leaves"),
        (
            HEAD + "leaves:\n- {count: 1}\n- {count: x}\n",
            "tree.yaml:5: leaves[1].count: is 'x'; should be a whole number",
        ),
        (HEAD + "leaves:\n- {count: true}\n", "tree.yaml:4: leaves[0].count: is True; should be a whole number"),
        (HEAD + "leaves:\n- {ratio: .inf}\n", "tree.yaml:4: leaves[0].ratio: is inf; should be a finite number"),
        (
            HEAD + "leaves:\n- {label: no}\n",
            "tree.yaml:4: leaves[0].label: is False; should be text; put quotes around numbers",
        ),
        (
            HEAD + "leaves:\n- {label: null}\n",
            "tree.yaml:4: leaves[0].label: should be text; put quotes around numbers",
        ),
        (HEAD + "leaves: {}\n", "tree.yaml:3: leaves: should be a list, like [1, 2]"),
        (HEAD + "kind: Tree\n", "tree.yaml:3: kind: is given twice; keep one"),
        (HEAD + "leaves: [\n", "tree.yaml:4: is no YAML: did not find expected node content"),
        (HEAD + "leaves: &a [*a]\n", "tree.yaml:3: is no YAML: found unconstructable recursive node"),
        (HEAD + "leaves: !!python/object:os.system {}\n", "tree.yaml:3: is no YAML: could not determine a constructor"),
        (HEAD + "---\nkind: Tree\n", "tree.yaml:3: is no YAML: but found another document"),
        (HEAD + "leaves: \x07\n", "tree.yaml: is no YAML: "),
        (HEAD + "leaves: " + "[" * 3000, "tree.yaml:3: is no YAML: "),
    ],
)
def test_a_complaint_names_file_line_and_field(text: str, expected: str) -> None:
    assert complaint(text).startswith(expected)


def test_the_first_of_several_complaints_is_shown_and_the_others_counted() -> None:
    text = HEAD + "leaves:\n- {count: x}\n- {label: 1}\n- {ratio: y}\n"

    assert complaint(text) == "tree.yaml:4: leaves[0].count: is 'x'; should be a whole number (and 2 more)"


def test_anchors_that_multiply_do_not_blow_up() -> None:
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"{new}: &{new} [{', '.join(f'*{old}' for _ in range(8))}]\n"
        for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
    )

    assert "is no field here" in complaint(HEAD + bomb)


@given(st.text(max_size=200))
def test_any_text_is_taken_or_refused_in_one_line(text: str) -> None:
    for document in (text, HEAD + "leaves:\n- " + text):
        try:
            documents.parse(Tree, document, "tree.yaml")
        except InputError as error:
            assert str(error).startswith("tree.yaml:")
            assert len(str(error).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"kind: \xff\n")

    with pytest.raises(InputError, match=r"missing\.yaml: cannot be read: No such file"):
        documents.read(missing)
    with pytest.raises(InputError, match=r"binary\.yaml: is not UTF-8 text \(byte 6\)"):
        documents.read(binary)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        documents.read(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(documents.LARGEST_DOCUMENT + 1)

    with pytest.raises(InputError, match="bytes are too many for a document"):
        documents.read(large)


@pytest.mark.parametrize("name", ["a", "alexnet-b8", "a.b", "0", "a" * 63])
def test_names_that_can_be_used(name: str) -> None:
    assert documents.name_fault(name) is None


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", ".", "..", "a/b", "a b", "é", "a" * 64, "a\n"])
def test_names_that_cannot_be_used(name: str) -> None:
    assert "is no name" in str(documents.name_fault(name))
