"""Tables as CSV for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from django.http import HttpResponse

Cell: TypeAlias = str | int | float | None

# A spreadsheet takes a cell that starts with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK = "\ufeff"


def csv_download(
    *, filename: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> HttpResponse:
    """A file that opens in a spreadsheet: UTF-8 with its mark, and no cell that computes."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.write(BYTE_ORDER_MARK)
    writer = csv.writer(response)
    writer.writerow(head)
    writer.writerows([[harmless(cell) for cell in row] for row in rows])
    return response


def harmless(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell
