"""The closed vocabularies of the tables: states, kinds, roles and what each role may do."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Permission(models.TextChoices):
    READ_ASSETS = "read_assets", _("see assets, readings and forecasts")
    READ_WORK = "read_work", _("see all work orders and schedules")
    OWN_WORK = "own_work", _("see one's own work orders")
    ASK_FOR_WORK = "ask_for_work", _("ask for work")
    EXECUTE = "execute", _("start, report and close one's own work")
    MANAGE_STOCK = "manage_stock", _("keep stock and deliveries")
    PLAN = "plan", _("accept and dismiss work, optimise, move, pin and publish")
    SUPERVISE = "supervise", _("manage people and override readiness")
    MANAGE_MODELS = "manage_models", _("manage failure modes, costs and models")
    IMPORT_DATA = "import_data", _("import data")
    ADMINISTER = "administer", _("manage sites, users and tokens")


class Role(models.TextChoices):
    VIEWER = "viewer", _("Viewer")
    REQUESTER = "requester", _("Requester")
    TECHNICIAN = "technician", _("Technician")
    STOREKEEPER = "storekeeper", _("Storekeeper")
    PLANNER = "planner", _("Planner")
    SUPERVISOR = "supervisor", _("Supervisor")
    RELIABILITY_ENGINEER = "reliability_engineer", _("Reliability engineer")
    ADMINISTRATOR = "administrator", _("Administrator")


_SEE = frozenset({Permission.READ_ASSETS, Permission.READ_WORK})
_PLAN = _SEE | {Permission.ASK_FOR_WORK, Permission.PLAN}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _SEE,
    Role.REQUESTER: frozenset({Permission.OWN_WORK, Permission.ASK_FOR_WORK}),
    Role.TECHNICIAN: frozenset(
        {
            Permission.READ_ASSETS,
            Permission.OWN_WORK,
            Permission.ASK_FOR_WORK,
            Permission.EXECUTE,
        }
    ),
    Role.STOREKEEPER: _SEE | {Permission.MANAGE_STOCK},
    Role.PLANNER: _PLAN,
    Role.SUPERVISOR: _PLAN | {Permission.SUPERVISE},
    Role.RELIABILITY_ENGINEER: _SEE | {Permission.MANAGE_MODELS, Permission.IMPORT_DATA},
    Role.ADMINISTRATOR: _SEE | {Permission.ADMINISTER},
}


def roles_with(permission: Permission) -> list[Role]:
    return [role for role, granted in ROLE_PERMISSIONS.items() if permission in granted]


class TokenScope(models.TextChoices):
    WRITE_READINGS = "readings:write", _("send readings")
    READ_READINGS = "readings:read", _("read readings and imports")
    READ_ASSETS = "assets:read", _("read assets and forecasts")
    READ_WORK = "work:read", _("read work orders and the schedule")


class Criticality(models.TextChoices):
    A = "A", _("A: stops the plant")
    B = "B", _("B: slows the plant")
    C = "C", _("C: can wait")


class WorkOrderType(models.TextChoices):
    PREVENTIVE = "preventive", _("Preventive")
    PREDICTIVE = "predictive", _("Predictive")
    CORRECTIVE = "corrective", _("Corrective")
    INSPECTION = "inspection", _("Inspection")


class WorkOrderState(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    ACCEPTED = "accepted", _("Accepted")
    SCHEDULED = "scheduled", _("Scheduled")
    IN_PROGRESS = "in_progress", _("In progress")
    PAUSED = "paused", _("Paused")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", pgettext_lazy("work order", "Cancelled")
    DISMISSED = "dismissed", _("Dismissed")


WORK_ORDER_MOVES: dict[WorkOrderState, frozenset[WorkOrderState]] = {
    WorkOrderState.PROPOSED: frozenset(
        {WorkOrderState.ACCEPTED, WorkOrderState.SCHEDULED, WorkOrderState.DISMISSED}
    ),
    WorkOrderState.ACCEPTED: frozenset(
        {
            WorkOrderState.SCHEDULED,
            WorkOrderState.IN_PROGRESS,
            WorkOrderState.DISMISSED,
            WorkOrderState.CANCELLED,
        }
    ),
    WorkOrderState.SCHEDULED: frozenset(
        {
            WorkOrderState.ACCEPTED,
            WorkOrderState.IN_PROGRESS,
            WorkOrderState.DISMISSED,
            WorkOrderState.CANCELLED,
        }
    ),
    WorkOrderState.IN_PROGRESS: frozenset(
        {WorkOrderState.PAUSED, WorkOrderState.DONE, WorkOrderState.CANCELLED}
    ),
    WorkOrderState.PAUSED: frozenset(
        {WorkOrderState.IN_PROGRESS, WorkOrderState.DONE, WorkOrderState.CANCELLED}
    ),
    WorkOrderState.DONE: frozenset(),
    WorkOrderState.CANCELLED: frozenset(),
    WorkOrderState.DISMISSED: frozenset({WorkOrderState.PROPOSED}),
}
TO_SCHEDULE_STATES = (
    WorkOrderState.PROPOSED,
    WorkOrderState.ACCEPTED,
    WorkOrderState.SCHEDULED,
)
STARTED_WORK_ORDER_STATES = (WorkOrderState.IN_PROGRESS, WorkOrderState.PAUSED)
OPEN_WORK_ORDER_STATES = (*TO_SCHEDULE_STATES, *STARTED_WORK_ORDER_STATES)


class AsFound(models.TextChoices):
    CONFIRMED = "confirmed", _("The predicted fault, confirmed")
    EARLY_SIGNS = "early_signs", _("Early signs of it")
    NOTHING_FOUND = "nothing_found", _("Nothing found")
    OTHER_FAULT = "other_fault", _("Another fault")


class StockMove(models.TextChoices):
    COUNT = "count", _("Counted")
    RECEIPT = "receipt", pgettext_lazy("stock", "Received")
    ISSUE = "issue", _("Used")


class Priority(models.IntegerChoices):
    URGENT = 1, pgettext_lazy("priority", "Urgent")
    HIGH = 2, pgettext_lazy("priority", "High")
    NORMAL = 3, pgettext_lazy("priority", "Normal")
    LOW = 4, pgettext_lazy("priority", "Low")


class DismissReason(models.TextChoices):
    FALSE_ALARM = "false_alarm", _("False alarm")
    ALREADY_DONE = "already_done", _("Already done")
    NOT_WORTH_IT = "not_worth_it", _("Not worth it")
    WILL_REPLACE_ASSET = "will_replace_asset", _("The asset will be replaced")
    OTHER = "other", _("Other")


class ModelState(models.TextChoices):
    CANDIDATE = "candidate", _("Candidate")
    CHAMPION = "champion", _("Champion")
    RETIRED = "retired", _("Retired")
    REJECTED = "rejected", _("Rejected")


class Trigger(models.TextChoices):
    FIRST = "first", _("First model")
    TIMETABLE = "timetable", _("Timetable")
    BUTTON = "button", _("By hand")
    LABELS = "labels", _("Enough new labels")
    DRIFT = "drift", _("Drift")


class Verdict(models.TextChoices):
    PROMOTED = "promoted", _("Promoted")
    REJECTED = "rejected", _("Rejected")


class ServingStart(models.TextChoices):
    PROMOTION = "promotion", _("Promotion")
    ROLLBACK = "rollback", _("Rollback")


class Outcome(models.TextChoices):
    FAILED = "failed", pgettext_lazy("outcome", "Failed")
    SURVIVED = "survived", _("Survived")
    CENSORED = "censored", _("Censored: renewed before anybody could know")


class AlertKind(models.TextChoices):
    DRIFT = "drift", _("Drift")
    PERFORMANCE = "performance", _("Worse forecasts")
    SILENT_POINT = "silent_point", _("Silent measurement point")


class ForecastState(models.TextChoices):
    VALUE = "value", _("Forecast")
    BEYOND_HORIZON = "beyond_horizon", _("Beyond the horizon")
    NOT_ENOUGH_DATA = "not_enough_data", _("Not enough data")
    NOT_SET = "not_set", _("No model yet")


class Grade(models.TextChoices):
    A = "A", _("A: strong evidence")
    B = "B", _("B: good evidence")
    C = "C", _("C: little evidence")
    D = "D", _("D: hardly any evidence")


class ScheduleState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    SUPERSEDED = "superseded", _("Superseded")


class LeftOutClass(models.TextChoices):
    ECONOMIC = "economic", _("Waiting is cheaper")
    STRUCTURAL = "structural", _("Impossible as things are")
    CONTENTION = "contention", _("Others come first")
    POSSIBLE = "possible", _("It fits and would pay")


class OperationKind(models.TextChoices):
    IMPORT = "import", _("Import")
    UPLOAD = "upload", _("Upload of readings")
    TRAIN = "train", _("Train models")
    FORECAST = "forecast", _("Forecast")
    SCHEDULE = "schedule", _("Optimise the schedule")
    WATCH = "watch", _("Labels and drift")
    LOOP = "loop", _("Whole loop")


class OperationState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


OPEN_OPERATION_STATES = (OperationState.QUEUED, OperationState.RUNNING)


class ImportDoor(models.TextChoices):
    REST = "rest", _("REST")
    UPLOAD = "upload", _("Upload")
    FOLDER = "folder", _("Watched folder")
    MQTT = "mqtt", _("MQTT")
    COMMAND = "command", _("Command line")
    DEMO = "demo", _("Demo plant")


class ImportState(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class QualityKind(models.TextChoices):
    STALE = "stale", _("Stale: nothing came")
    FLAT = "flat", _("Flat line")
    OUT_OF_RANGE = "out_of_range", _("Out of the plausible range")
    SPIKE = "spike", _("Spike")
    CONFLICT = "conflict", _("Sent again with another value")
    CLOCK_SKEW = "clock_skew", _("Clock ahead or far behind")
    UNIT_MISMATCH = "unit_mismatch", _("Another unit")
