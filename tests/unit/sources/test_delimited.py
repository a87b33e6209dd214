from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintenance.sources import delimited
from maintenance.sources.delimited import Block
from maintenance.sources.mappings import Format, MappingError

PLAIN = Format()


def read(tmp_path: Path, content: bytes, form: Format = PLAIN) -> Block:
    path = tmp_path / "readings.csv"
    path.write_bytes(content)
    return delimited.joined(list(delimited.read_blocks(path, form)))


def lists(block: Block) -> dict[str, list[str]]:
    return {name: column.to_pylist() for name, column in block.columns.items()}


def errors(block: Block) -> list[tuple[int | None, str, str]]:
    return [(error.row, error.field, error.reason) for error in block.errors]


def test_lines_become_columns_with_their_numbers(tmp_path: Path) -> None:
    block = read(tmp_path, b'\xef\xbb\xbfa, b\r\n1,2\r\n\r\n3,"4,5"\r\n')
    assert lists(block) == {"a": ["1", "3"], "b": ["2", "4,5"]}
    assert block.numbers == [2, 4]
    assert block.raw == ["1,2", '3,"4,5"']


def test_half_a_last_line_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    block = read(tmp_path, b"a,b,c\n1,2,3\n4,5,6\n7,")
    assert block.numbers == [2, 3]
    assert errors(block) == [(4, "b", "the line has 2 fields, the header 3")]


def test_a_quote_that_is_never_closed_costs_its_own_line_alone(tmp_path: Path) -> None:
    block = read(tmp_path, b'a,b\n1,"two\n3,4\n5,6\n')
    assert lists(block) == {"a": ["3", "5"], "b": ["4", "6"]}
    assert errors(block) == [(2, "a", "a quote is opened and never closed")]


def test_a_quoted_field_may_hold_line_ends(tmp_path: Path) -> None:
    block = read(tmp_path, b'a,b\n1,"two\nlines"\n3,4\n')
    assert lists(block) == {"a": ["1", "3"], "b": ["two\nlines", "4"]}
    assert block.numbers == [2, 4]


def test_a_quote_within_a_field_is_a_character(tmp_path: Path) -> None:
    block = read(tmp_path, b'a,b\n1,5" pipe\n2,"6"" pipe"\n3,7" pipe\n')
    assert lists(block)["b"] == ['5" pipe', '6" pipe', '7" pipe']
    assert not block.errors


def test_a_nul_is_named_with_its_column(tmp_path: Path) -> None:
    block = read(tmp_path, b"a,b\n1,2\n3,4\x00\n5,6\n")
    assert block.numbers == [2, 4]
    assert errors(block) == [(3, "b", "contains a NUL character")]


def test_a_byte_of_another_encoding_is_named(tmp_path: Path) -> None:
    block = read(tmp_path, "a,b\n1,2\n3,ñ\n".encode("latin-1"))
    assert errors(block) == [(3, "b", "holds the byte 0xf1, which is not utf-8")]
    assert lists(read(tmp_path, "a\nñ\n".encode("latin-1"), Format(encoding="latin-1"))) == {
        "a": ["ñ"]
    }


def test_comments_are_passed_over_where_they_are_declared(tmp_path: Path) -> None:
    content = b"# plant\na,b\n# 1,2\n3,4\n"
    assert lists(read(tmp_path, content, Format(comment="#"))) == {"a": ["3"], "b": ["4"]}


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
def test_the_header_tells_the_delimiter(tmp_path: Path, mark: str) -> None:
    content = f"a{mark}b\n1{mark}2\n".encode()
    assert lists(read(tmp_path, content, Format(delimiter="auto"))) == {"a": ["1"], "b": ["2"]}


def test_blocks_go_on_where_the_last_one_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "CHUNK_CHARACTERS", 16)
    lines = ['1,"x', 'y"', *(f"{i},{i}" for i in range(2, 60))]
    path = tmp_path / "readings.csv"
    path.write_text("a,b\n" + "\n".join(lines))
    blocks = list(delimited.read_blocks(path, Format()))
    whole = delimited.joined(blocks)
    assert len(blocks) > 5
    assert lists(whole)["b"] == ["x\ny", *map(str, range(2, 60))]
    assert whole.numbers == [2, *range(4, 62)]
    assert not whole.errors


def test_a_file_without_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"readings\.csv is empty"):
        read(tmp_path, b"")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="two columns called 'a'"):
        read(tmp_path, b"a,b,a\n1,2,3\n")


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "CHUNK_CHARACTERS", 1000)
    monkeypatch.setattr(delimited, "LONGEST_LINE", 500)
    with pytest.raises(MappingError, match="a line of more than 500 characters"):
        read(tmp_path, b"a,b\n" + b"x" * 5000)


PIECES = st.sampled_from(
    [b"1", b"a", b",", b'"', b"\n", b"\r\n", b"\x00", b"\xff", b" ", b"#", "ñ".encode()]
)


@given(content=st.lists(PIECES, max_size=60).map(b"".join), chunk=st.integers(1, 40))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_each_line_is_read_or_refused(
    tmp_path: Path, content: bytes, chunk: int
) -> None:
    """Cut into chunks at any place, it says the same."""
    whole = read(tmp_path, b"a,b\n" + content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "CHUNK_CHARACTERS", chunk)
        patch.setattr(delimited, "LONGEST_LINE", 1000)
        parts = read(tmp_path, b"a,b\n" + content)
    assert (lists(parts), parts.numbers, errors(parts)) == (
        lists(whole),
        whole.numbers,
        errors(whole),
    )
    told = {*whole.numbers, *(error.row for error in whole.errors)}
    raw = [*whole.raw, *(error.raw for error in whole.errors)]
    spanned = "".join(raw).count("\n")
    filled = [line for line in content.split(b"\n") if line.strip(b" \r\t")]
    assert len(told) + spanned >= len(filled)
