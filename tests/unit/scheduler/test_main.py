"""``python -m scheduler``: a document in, a document out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from scheduler import Result
from scheduler.__main__ import main
from tests.unit.scheduler.problems import problem


def test_a_problem_in_a_file_gives_a_result_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "problem.json"
    file.write_text(problem().to_json(), encoding="utf-8")
    assert main([str(file), "--effort", "0.1"]) == 0
    result = Result.from_dict(json.loads(capsys.readouterr().out))
    assert result.cost.total == 100


def test_a_dash_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(problem().to_json()))
    assert main(["-", "--effort", "0.1"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "optimal"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "not JSON"), (b'{"jobs": []}', "day_starts_minutes: missing"), (b"\xff\xfe", "utf-8")],
)
def test_a_document_in_another_form_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    file = tmp_path / "problem.json"
    file.write_bytes(content)
    assert main([str(file)]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
