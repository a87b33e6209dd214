"""The one way in: whatever the door, rows are checked, kept once, and counted.

A door turns what it is given (a file, a request) into columns or rows, calls one of the verbs
here, and records the outcome in its batch. Received = new + changed + already known + refused.
"""

from maintenance.flow.ingest.batches import (
    MOST_KEPT_ROWS,
    add_to_batch,
    close_batch,
    fail_batch,
    open_batch,
    take_whole,
)
from maintenance.flow.ingest.columns import (
    EPOCH_UNITS,
    PLAIN,
    UTC,
    Flags,
    Floats,
    Ints,
    Period,
    Reading,
    as_text,
    counted,
    from_clock,
    instants,
    later,
    numbers,
    text_problem,
)
from maintenance.flow.ingest.fields import ATTRIBUTES, Field, Kind
from maintenance.flow.ingest.messages import (
    FURTHER_TOPICS,
    MOST_IN_FLIGHT,
    Message,
    Taken,
    forget_stored,
    listener_of,
    take_again,
    take_messages,
    take_unreadable,
)
from maintenance.flow.ingest.readings import (
    LONGEST_NAME,
    Found,
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
from maintenance.flow.ingest.uploads import (
    Finder,
    TypedLines,
    TypedSignal,
    open_upload,
    take_upload_block,
)

__all__ = [
    "ATTRIBUTES",
    "EPOCH_UNITS",
    "FURTHER_TOPICS",
    "LONGEST_NAME",
    "MOST_IN_FLIGHT",
    "MOST_KEPT_ROWS",
    "PLAIN",
    "TABLES",
    "UTC",
    "WEEKDAYS",
    "Field",
    "Finder",
    "Flags",
    "Floats",
    "Found",
    "Ints",
    "Kind",
    "Message",
    "Outcome",
    "Period",
    "Reading",
    "ReadingLines",
    "Refused",
    "RowError",
    "Series",
    "Signal",
    "Table",
    "Taken",
    "TypedLines",
    "TypedSignal",
    "add_to_batch",
    "all_refused",
    "as_text",
    "close_batch",
    "count_stock",
    "counted",
    "ensure_site",
    "fail_batch",
    "forget_stored",
    "from_clock",
    "instants",
    "later",
    "listener_of",
    "numbers",
    "open_batch",
    "open_upload",
    "storable",
    "take_again",
    "take_columns",
    "take_messages",
    "take_readings",
    "take_rows",
    "take_series",
    "take_unreadable",
    "take_upload_block",
    "take_whole",
    "text_problem",
]
