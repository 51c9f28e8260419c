"""Names from outside as text: on a terminal, in JSON, in CSV."""

import csv
import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricksight._support.filesystem.csv_files import CsvWriter, read_rows
from bricksight._support.text import encodable, json_text, message_lines, printable
from helpers.hidden_characters import hidden


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("積木 2x4", "積木 2x4"),
        ("👩‍🔧", "👩‍🔧"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\r\nb\x85\u2028", "a\\r\\nb\\x85\\u2028"),
        ("\u202ecba", "\\u202ecba"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
    ids=ascii,
)
def test_printable__shows_what_is_not_drawn_as_an_escape(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_printable__is_one_line_of_what_is_drawn(name: str) -> None:
    assert hidden(printable(name)) == []
    assert printable(name).splitlines() in ([], [printable(name)])


def test_message_lines__only_indented_lines_are_our_own() -> None:
    message = "No photo is in x\nbricksight: all is right. Expected:\n  photos/cat/1.jpg"
    first, second = message_lines(message)
    assert first == "No photo is in x\\nbricksight: all is right. Expected:"
    assert second == "  photos/cat/1.jpg"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@given(name=st.text(st.characters(exclude_categories=())))
def test_json_text__is_read_back_from_every_encoding(encoding: str, name: str) -> None:
    text = json_text({name: [name]}, indent=1, encoding=encoding)
    assert hidden(text.replace("\n", "")) == []
    # A pair of surrogates is one character in JSON.
    whole = name.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(text.encode(encoding).decode(encoding)) == {whole: [whole]}


def test_json_text__stays_readable_and_keeps_the_bytes_of_a_name() -> None:
    assert json_text("積木") == '"積木"'
    read = json.loads(json_text(os.fsdecode(b"caf\xe9.jpg")).encode())
    assert os.fsencode(read) == b"caf\xe9.jpg"


def test_encodable__changes_nothing_but_bytes_that_are_no_text() -> None:
    assert encodable("積木\x1b\r" + os.fsdecode(b"\xe9")) == "積木\x1b\r\\xe9"


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_csv__is_read_back_exactly(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    table = CsvWriter(file)
    for row in (("path", "label"), *rows):
        table.write(*row)
    file.seek(0)
    assert [(row["path"], row["label"]) for row in read_rows(file)] == rows


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a,b", 'a"b', "a\r\nb", "\r"], ids=ascii)
def test_csv__every_reader_finds_the_columns(name: str) -> None:
    file = io.StringIO(newline="")
    CsvWriter(file).write(name, 1)
    assert file.getvalue().endswith(",1\n")
    ((cell, number),) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert (cell.lstrip("'"), number) == (name, "1")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "'="], ids=ascii)
def test_csv__no_text_is_a_formula_to_a_spreadsheet(first: str) -> None:
    file = io.StringIO(newline="")
    CsvWriter(file).write(f"{first}1+1", "plain", "'quoted'", -1)
    ((cell, *others),) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert cell == f"'{first}1+1"
    assert others == ["plain", "'quoted'", "-1"]
