"""The closed vocabularies: who may do what, and which way a work order may go."""

from __future__ import annotations

import pytest

from maintenance.choices import (
    OPEN_WORK_ORDER_STATES,
    ROLE_PERMISSIONS,
    WORK_ORDER_MOVES,
    Permission,
    Role,
    WorkOrderState,
    roles_with,
)


def test_every_role_says_what_it_may_do():
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_every_permission_is_held_by_somebody():
    assert set(Permission) == set().union(*ROLE_PERMISSIONS.values())


@pytest.mark.parametrize("role", Role)
def test_roles_with_a_permission_are_those_that_hold_it(role):
    for permission in Permission:
        assert (role in roles_with(permission)) == (permission in ROLE_PERMISSIONS[role])


def test_a_supervisor_may_do_all_that_a_planner_may():
    assert ROLE_PERMISSIONS[Role.PLANNER] < ROLE_PERMISSIONS[Role.SUPERVISOR]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.STOREKEEPER, Role.TECHNICIAN, Role.REQUESTER])
def test_those_who_do_not_plan_may_neither_plan_nor_import_nor_administer(role):
    refused = {Permission.PLAN, Permission.IMPORT_DATA, Permission.ADMINISTER}
    assert not ROLE_PERMISSIONS[role] & refused


def test_every_state_of_a_work_order_says_where_it_may_go():
    assert set(WORK_ORDER_MOVES) == set(WorkOrderState)
    assert all(state not in moves for state, moves in WORK_ORDER_MOVES.items())


def test_work_is_open_until_it_is_done_cancelled_or_dismissed():
    assert set(WorkOrderState) - set(OPEN_WORK_ORDER_STATES) == {
        WorkOrderState.DONE,
        WorkOrderState.CANCELLED,
        WorkOrderState.DISMISSED,
    }
