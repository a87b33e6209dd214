"""The one way in: whatever the door, rows are checked, kept once, and counted.

A door turns what it is given (a file, a request) into columns or rows, calls one of the verbs
here, and records the outcome in its batch. Received = new + changed + already known + refused.
"""

from maintenance.flow.ingest.batches import (
    add_to_batch,
    close_batch,
    fail_batch,
    open_batch,
    take_whole,
)
from maintenance.flow.ingest.columns import (
    EPOCH_UNITS,
    PLAIN,
    Period,
    Reading,
    instants,
    numbers,
    text_problem,
)
from maintenance.flow.ingest.fields import ATTRIBUTES, Field, Kind
from maintenance.flow.ingest.readings import (
    LONGEST_NAME,
    ReadingLines,
    Series,
    Signal,
    take_readings,
    take_series,
)
from maintenance.flow.ingest.refusals import Outcome, Refused, RowError, all_refused, storable
from maintenance.flow.ingest.resources import WEEKDAYS, count_stock
from maintenance.flow.ingest.rows import TABLES, ensure_site, take_columns, take_rows
from maintenance.flow.ingest.tables import Table

__all__ = [
    "ATTRIBUTES",
    "EPOCH_UNITS",
    "LONGEST_NAME",
    "PLAIN",
    "TABLES",
    "WEEKDAYS",
    "Field",
    "Kind",
    "Outcome",
    "Period",
    "Reading",
    "ReadingLines",
    "Refused",
    "RowError",
    "Series",
    "Signal",
    "Table",
    "add_to_batch",
    "all_refused",
    "close_batch",
    "count_stock",
    "ensure_site",
    "fail_batch",
    "instants",
    "numbers",
    "open_batch",
    "storable",
    "take_columns",
    "take_readings",
    "take_rows",
    "take_series",
    "take_whole",
    "text_problem",
]
