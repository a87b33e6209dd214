"""Logs as events with keys and values: aligned for people, or one JSON object a line.

Each line says what it belongs to: the request (`X-Request-ID`, by `maintenance.web.middleware`)
or the task and its operation.
"""

import logging.config
from collections.abc import Mapping
from typing import Any

import structlog
from celery.signals import task_postrun, task_prerun
from structlog.typing import Processor

BEFORE: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)
CHATTER = ("axes", "celery.app.trace", "celery.beat", "celery.worker.strategy")


def configure(settings: Mapping[str, str]) -> None:
    """Send what structlog and the standard library log to standard error, in one format."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *BEFORE,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "events": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": BEFORE,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *_renderers(settings["format"]),
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events"}},
            # A sweep each few seconds would drown the rest; operations report themselves. Of those
            # who sign in, only wrong passwords are worth a line.
            "loggers": {name: {"level": "WARNING"} for name in CHATTER},
            "root": {"handlers": ["stderr"], "level": settings["level"]},
        }
    )


@task_prerun.connect
def name_the_task(*, task_id: str, task: Any, kwargs: Mapping[str, Any], **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    if "operation_id" in kwargs:
        structlog.contextvars.bind_contextvars(operation_id=kwargs["operation_id"])


@task_postrun.connect
def forget_the_task(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id", "operation_id")


def _renderers(style: str) -> list[Processor]:
    if style == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # The plain form: a traceback with local variables would write secrets into the log.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
