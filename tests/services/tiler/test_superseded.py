"""What several writers of one cube must not do to each other, and for how long that is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zarr

from services.tiler.stage import STAGE
from services.tiler.superseded import ATTRIBUTE, MATTERS, Superseded, note_superseded

WEEK = 25
OLD, NEW, OTHER = 2**64 - 3, 2**63 + 1, 7
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def group() -> zarr.Group:
    return zarr.open_group({}, mode="w")


def note(
    group: zarr.Group, outdated: list[int], by: int | None, week: int = WEEK, later: timedelta | None = None
) -> None:
    note_superseded(group, week, outdated, by=by, now=NOW + (later or timedelta()))


def noted(group: zarr.Group) -> dict[str, Any]:
    return dict(group.attrs).get(ATTRIBUTE, {})


def test_a_superseded_scene_is_merged_no_more(group: zarr.Group) -> None:
    note(group, [], OLD)
    note(group, [OLD], NEW)
    with pytest.raises(Superseded):
        note(group, [], OLD)
    note(group, [], OLD, week=WEEK + 1)
    note(group, [], NEW)


def test_a_withdrawn_scene_too(group: zarr.Group) -> None:
    note(group, [OLD], None)
    with pytest.raises(Superseded):
        note(group, [], OLD)


def test_another_mask_of_a_product_does_not_supersede_it(group: zarr.Group) -> None:
    note(group, [NEW, OLD], NEW)
    note(group, [], NEW)


def test_nothing_is_written_where_nothing_is_new(group: zarr.Group) -> None:
    note(group, [], OLD)
    assert dict(group.attrs) == {}
    note(group, [OLD], NEW)
    before = noted(group)
    note(group, [OLD], NEW, later=timedelta(hours=1))
    assert noted(group) == before


def test_what_can_matter_no_more_is_forgotten(group: zarr.Group) -> None:
    """A season that is processed anew once a week: there are never more notes than the last day made."""
    assert 2 * timedelta(seconds=STAGE.timeout_s) < MATTERS, "no job outlives a note that it must see"
    for day in range(0, 7 * 60, 7):
        for number in range(5):
            note(group, [10_000 * day + number], OTHER, week=number, later=timedelta(days=day))
    assert {week: len(notes) for week, notes in noted(group).items()} == dict.fromkeys("01234", 1)


def test_a_note_holds_while_a_job_may_run(group: zarr.Group) -> None:
    note(group, [OLD], NEW)
    note(group, [OTHER], NEW, later=MATTERS - timedelta(minutes=1))
    with pytest.raises(Superseded):
        note(group, [], OLD, later=MATTERS - timedelta(minutes=1))


def test_notes_of_before_are_kept_from_now_on(group: zarr.Group) -> None:
    group.attrs[ATTRIBUTE] = {str(WEEK): [str(OLD)], "3": ["4"]}
    with pytest.raises(Superseded):
        note(group, [], OLD)
    note(group, [OTHER], NEW)
    assert set(noted(group)[str(WEEK)]) == {str(OLD), str(OTHER)}
    assert set(noted(group)) == {str(WEEK), "3"}
    note(group, [1], NEW, later=2 * MATTERS)
    assert set(noted(group)) == {str(WEEK)}
    assert set(noted(group)[str(WEEK)]) == {"1"}
