"""All tables. A module's foreign keys point only to itself and to those before it:

access, assets, operations, readings, prognosis, resources, work, schedules.
"""

from maintenance.models.access import (
    ApiToken,
    AuditEntry,
    Membership,
    Site,
    User,
)
from maintenance.models.assets import (
    AccessWindow,
    Asset,
    AssetClass,
    Component,
    ErrorEvent,
    FunctionalLocation,
    Installation,
    MeasurementPoint,
)
from maintenance.models.operations import Operation
from maintenance.models.prognosis import (
    Failure,
    FailureMode,
    FeatureRow,
    FeatureSet,
    Forecast,
    ModelVersion,
)
from maintenance.models.readings import Import, Reading, RejectedRow
from maintenance.models.resources import (
    Absence,
    Delivery,
    Shift,
    Skill,
    SparePart,
    Technician,
    TechnicianSkill,
    Tool,
    ToolType,
)
from maintenance.models.schedules import Assignment, LeftOut, Schedule, ScheduleMove
from maintenance.models.work import (
    JobPlan,
    JobPlanPart,
    JobPlanRole,
    JobPlanTool,
    WorkOrder,
)

__all__ = [
    "Absence",
    "AccessWindow",
    "ApiToken",
    "Asset",
    "AssetClass",
    "Assignment",
    "AuditEntry",
    "Component",
    "Delivery",
    "ErrorEvent",
    "Failure",
    "FailureMode",
    "FeatureRow",
    "FeatureSet",
    "Forecast",
    "FunctionalLocation",
    "Import",
    "Installation",
    "JobPlan",
    "JobPlanPart",
    "JobPlanRole",
    "JobPlanTool",
    "LeftOut",
    "MeasurementPoint",
    "Membership",
    "ModelVersion",
    "Operation",
    "Reading",
    "RejectedRow",
    "Schedule",
    "ScheduleMove",
    "Shift",
    "Site",
    "Skill",
    "SparePart",
    "Technician",
    "TechnicianSkill",
    "Tool",
    "ToolType",
    "User",
    "WorkOrder",
]
