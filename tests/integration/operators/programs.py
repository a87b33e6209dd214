"""Programs of the operators' side that a test needs, found or done without by name."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """Its path; without it the test is skipped, or fails where all must be there."""
    if os.environ.get("VIGIA_HIDE_SERVICES") == "1":
        pytest.skip(f"{name} is hidden by VIGIA_HIDE_SERVICES")
    found = shutil.which(name)
    if found is None and os.environ.get("VIGIA_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{name} is not installed, and VIGIA_REQUIRE_SERVICES wants it", pytrace=False)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return found
