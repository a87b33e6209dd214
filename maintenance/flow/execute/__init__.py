"""Work is started, paused, finished with its finding, or cancelled.

Refusals (see `refusals`): NotAllowed for a change of state that cannot be, otherwise a Refusal that
names the field of the report it is about.
"""

from maintenance.flow.execute.moves import cancel, pause, start
from maintenance.flow.execute.photos import MOST_PHOTO_BYTES, MOST_PHOTOS, PHOTO_TYPES
from maintenance.flow.execute.refusals import NotAllowed, Refusal
from maintenance.flow.execute.report import finish, mode_of

__all__ = [
    "MOST_PHOTOS",
    "MOST_PHOTO_BYTES",
    "PHOTO_TYPES",
    "NotAllowed",
    "Refusal",
    "cancel",
    "finish",
    "mode_of",
    "pause",
    "start",
]
