"""Reference data for administrators of the whole installation (superusers)."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from maintenance.flow import entrance, ingest
from maintenance.models import (
    Absence,
    AccessWindow,
    ApiToken,
    Asset,
    AssetClass,
    AuditEntry,
    Component,
    Delivery,
    FailureMode,
    FunctionalLocation,
    JobPlan,
    JobPlanPart,
    JobPlanRole,
    JobPlanTool,
    MeasurementPoint,
    Membership,
    Operation,
    Shift,
    Site,
    Skill,
    SparePart,
    Technician,
    TechnicianSkill,
    Tool,
    ToolType,
    User,
)

admin.site.site_header = "Vigía"
admin.site.site_title = "Vigía"
admin.site.register(User, UserAdmin)


class FactAdmin(admin.ModelAdmin[Any]):
    """Says when a fact was recorded, so that nobody has to."""

    exclude: ClassVar[Any] = ("recorded_at", "source", "external_id")

    def save_model(
        self, request: HttpRequest, obj: models.Model, form: ModelForm[Any], change: bool
    ) -> None:
        if not change:
            obj.recorded_at = timezone.now()  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TechnicianSkillInline(admin.TabularInline[Any, Any]):
    model = TechnicianSkill
    extra = 0


class ShiftInline(admin.TabularInline[Any, Any]):
    model = Shift
    extra = 0


class RoleInline(admin.TabularInline[Any, Any]):
    model = JobPlanRole
    extra = 0


class PlanToolInline(admin.TabularInline[Any, Any]):
    model = JobPlanTool
    extra = 0


class PlanPartInline(admin.TabularInline[Any, Any]):
    model = JobPlanPart
    extra = 0


@admin.register(Site)
class SiteAdmin(FactAdmin):
    exclude = ("recorded_at",)
    list_display = ("code", "name", "time_zone", "currency")


@admin.register(Membership)
class MembershipAdmin(FactAdmin):
    exclude = ("recorded_at",)
    list_display = ("user", "site", "role")
    list_filter = ("site", "role")

    def save_model(
        self, request: HttpRequest, obj: models.Model, form: ModelForm[Any], change: bool
    ) -> None:
        membership, now = cast("Membership", obj), timezone.now()
        if not change:
            membership.recorded_at = now
        entrance.save_membership(membership=membership, by=cast("User", request.user), now=now)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        by = cast("User", request.user)
        entrance.remove_membership(membership=obj, by=by, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Membership]) -> None:
        for membership in queryset.select_related("user", "site"):
            self.delete_model(request, membership)


@admin.register(Technician)
class TechnicianAdmin(FactAdmin):
    list_display = ("name", "code", "site", "hourly_rate", "left_on")
    list_filter = ("site",)
    inlines = (TechnicianSkillInline, ShiftInline)


@admin.register(JobPlan)
class JobPlanAdmin(FactAdmin):
    list_display = ("name", "asset_class", "failure_mode", "duration_p50_minutes")
    list_filter = ("asset_class",)
    inlines = (RoleInline, PlanToolInline, PlanPartInline)


@admin.register(Asset)
class AssetAdmin(FactAdmin):
    list_display = ("code", "name", "asset_class", "location", "criticality")
    list_filter = ("site", "asset_class")
    search_fields = ("code", "name", "serial")


@admin.register(MeasurementPoint)
class MeasurementPointAdmin(FactAdmin):
    def save_related(
        self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool
    ) -> None:
        """A token that is given a point is for its points alone from then on."""
        super().save_related(request, form, formsets, change)
        ApiToken.objects.filter(points=form.instance).update(limited=True)


@admin.register(FailureMode)
class FailureModeAdmin(FactAdmin):
    list_display = ("name", "asset_class", "component_code", "failure_cost")
    list_filter = ("asset_class",)


@admin.register(SparePart)
class SparePartAdmin(FactAdmin):
    list_display = ("name", "code", "site", "stock", "unit_cost", "lead_time_days")
    list_filter = ("site",)

    def save_model(
        self, request: HttpRequest, obj: models.Model, form: ModelForm[Any], change: bool
    ) -> None:
        """A stock that is entered here was counted: the ledger says so."""
        super().save_model(request, obj, form, change)
        saved = SparePart.objects.filter(pk=obj.pk)
        ingest.count_stock(saved, now=timezone.now(), by=cast("User", request.user))


@admin.register(Skill, AccessWindow)
class RecordedAdmin(FactAdmin):
    exclude = ("recorded_at",)


admin.site.register(
    [
        FunctionalLocation,
        AssetClass,
        Component,
        Absence,
        ToolType,
        Tool,
        Delivery,
    ],
    FactAdmin,
)
admin.site.register([Operation, AuditEntry], ReadOnlyAdmin)
