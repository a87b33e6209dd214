from pathlib import Path

import pytest

from maintenance.flow.ingest import Period
from maintenance.sources import mappings, templates
from maintenance.sources.mappings import MappingError

READINGS = '[[tables]]\ntable = "readings"\nfile = "r.csv"\n'


def load(tmp_path: Path, text: str) -> mappings.DataMapping:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return mappings.load(str(path))


@pytest.mark.parametrize("name", mappings.shipped())
def test_a_shipped_mapping_is_sound(name: str) -> None:
    assert mappings.load(name).tables


def test_the_templates_cover_every_table_in_order() -> None:
    tables = [one.table for one in mappings.load("templates").tables]
    assert tables == list(mappings.TABLE_NAMES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[tables]", "mine.toml is not TOML"),
        ("", "there is no"),
        ("time_zona = 'UTC'\n" + READINGS, "the key 'time_zona' is unknown. Did you mean"),
        ("time_zone = 'Mars/Base'\n" + READINGS, "time_zone 'Mars/Base' is none"),
        ("delimiter = '.'\n" + READINGS, "delimiter = '.' is not one of"),
        ("decimal_comma = 'yes'\n" + READINGS, "decimal_comma = 'yes' is neither true nor false"),
        ("date_format = 'dd/mm'\n" + READINGS, "date_format 'dd/mm' is neither"),
        ("stamped = 'start'\n" + READINGS, 'stamped = "start" needs a period'),
        ("period = 'daily'\n" + READINGS, "period 'daily' is not such as"),
        ('[[tables]]\ntable = "asset"\nfile = "a.csv"', "the table 'asset' is unknown"),
        ('[[tables]]\ntable = "assets"', "give either file or rows"),
        (
            '[[tables]]\ntable = "assets"\nfile = "a.csv"\n[tables.columns]\ncod = "x"',
            "(assets): the field 'cod' is unknown. Did you mean 'code'?",
        ),
        (READINGS + '[tables.columns]\nasset = "a"', "no column is given for point, at, value"),
        (
            '[[tables]]\ntable = "assets"\nfile = "a.csv"\n'
            '[tables.columns]\ncode = { columm = "x" }',
            "columns.code: the key 'columm' is unknown",
        ),
        (
            '[[tables]]\ntable = "points"\nfile = "p.csv"\n[tables.columns]\ncode = "x"',
            "(points): no column is given for asset",
        ),
        (
            '[[tables]]\ntable = "assets"\nfile = "a.csv"\n[tables.columns]\ncode = "x"\n'
            'commissioned_at = { column = "age", years_before = "June" }',
            "years_before 'June' is no ISO 8601 instant",
        ),
        ("[site]\nname = 'x'\n" + READINGS, "[site]: code is missing"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_by_name(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(MappingError) as refusal:
        load(tmp_path, text)
    assert words in str(refusal.value)


def test_an_unknown_mapping_is_refused_with_those_there_are() -> None:
    with pytest.raises(MappingError, match="give one of azure_pdm, templates"):
        mappings.load("azure")


def test_a_table_has_the_format_of_its_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    text = "delimiter = ';'\ndecimal_comma = true\nstamped = 'start'\nperiod = '1d'\n" + READINGS
    [table] = load(tmp_path, text + "delimiter = ','\nperiod = '10min'\n").tables
    assert table.format.delimiter == ","
    reading = table.format.reading("Europe/Madrid")
    assert reading.decimal_comma
    assert reading.shift == Period(us=600_000_000)
    assert str(reading.zone) == "Europe/Madrid"


def test_a_template_has_a_header_and_an_example_behind_a_mark() -> None:
    header, example = templates.template("assets").splitlines()
    assert header.startswith("code,name,asset_class")
    assert example.startswith("# P-101,Feed pump,pump")


def test_templates_are_never_written_over(tmp_path: Path) -> None:
    written = templates.write(tmp_path / "mine")
    assert len(written) == len(mappings.TABLE_NAMES) + 1
    with pytest.raises(FileExistsError):
        templates.write(tmp_path / "mine")


def test_the_readme_of_the_templates_names_each_column() -> None:
    text = templates.readme()
    for table in mappings.TABLE_NAMES:
        for field in templates.fields_of(table):
            assert f"| {field.name} |" in text.split(f"## {table}.csv")[1]
