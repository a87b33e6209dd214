"""The doors for machines, under /api/v1/. What they are is written in docs/reference/api.md."""

from maintenance.api.routes import api

__all__ = ["api"]
