"""Photos of a report: known by their content, small enough, few enough, each kept once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from maintenance.flow.execute.refusals import Refusal
from maintenance.models import ReportPhoto, WorkReport

MOST_PHOTOS = 6
MOST_PHOTO_BYTES = 12 * 1024 * 1024
PHOTO_TYPES: Mapping[str, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}


@dataclass(frozen=True)
class Photo:
    content: bytes
    content_type: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def checked(files: Sequence[UploadedFile[Any]]) -> list[Photo]:
    """The photos, each once. What the sender says of a file is not believed."""
    if len(files) > MOST_PHOTOS:
        raise Refusal("photos", _("At most %(most)d photos.") % {"most": MOST_PHOTOS})
    photos = [_checked(file) for file in files]
    return list({photo.sha256: photo for photo in photos}.values())


def _checked(file: UploadedFile[Any]) -> Photo:
    name = {"name": (file.name or "")[:60]}
    if (file.size or 0) > MOST_PHOTO_BYTES:
        most = {"most": MOST_PHOTO_BYTES // (1024 * 1024)}
        raise Refusal("photos", _("%(name)s is larger than %(most)d MB.") % {**name, **most})
    content = file.read()
    content_type = _type_of(content)
    if content_type is None:
        raise Refusal("photos", _("%(name)s is no JPEG, PNG or WebP picture.") % name)
    return Photo(content, content_type)


def _type_of(content: bytes) -> str | None:
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def keep(photos: Sequence[Photo], *, report: WorkReport, now: dt.datetime) -> None:
    """The names are ours; a file whose row cannot be written is taken away again."""
    kept: list[ReportPhoto] = []
    try:
        for photo in photos:
            row = ReportPhoto(
                report=report,
                content_type=photo.content_type,
                sha256=photo.sha256,
                recorded_at=now,
            )
            kept.append(row)
            name = f"{photo.sha256[:32]}.{PHOTO_TYPES[photo.content_type]}"
            row.file.save(name, ContentFile(photo.content), save=True)
    except BaseException:
        for row in kept:
            row.file.delete(save=False)
        raise
