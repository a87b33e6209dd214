"""Ask the web server of this container whether it is ready; exit 1 unless it says yes.

python deploy/is_ready.py
"""

import os
import sys
from http.client import HTTPConnection

TIMEOUT_SECONDS = 4


def is_ready() -> bool:
    # A host this installation answers to, and the header that its proxy sets.
    host = os.environ.get("VIGIA_ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    server = HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=TIMEOUT_SECONDS
    )
    try:
        server.request("GET", "/health/ready", headers={"Host": host, "X-Forwarded-Proto": "https"})
        return server.getresponse().status == 200
    except OSError:
        return False
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready() else 1)
