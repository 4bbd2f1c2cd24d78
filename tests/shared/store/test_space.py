"""Full and read-only disks: which errors they cause, and what is said of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from icechunk import IcechunkError

from services.ingest.members import Limits
from services.ingest.unpack import unpack
from shared.run.outcome import Failed, NoSpace, Rejected, outcome_of
from shared.stage import RejectScene
from shared.store import NotFound, StoreFull
from shared.store.space import free_bytes, full, require_free, room, space_fault

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota of this user is used up"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, None),
        (errno.EIO, None),
    ],
)
def test_the_number_of_the_error_tells(code: int, fault: str | None) -> None:
    assert space_fault(OSError(code, os.strerror(code))) == fault


def test_the_cause_of_a_refusal_tells() -> None:
    with pytest.raises(RejectScene) as caught:
        raise RejectScene("a.zip", "cannot be unpacked", "deliver it again") from FULL
    assert outcome_of(caught.value) == NoSpace("the disk is full")


def test_a_library_without_numbers_is_heard_and_a_product_is_not() -> None:
    text = f"object store error: {os.strerror(errno.ENOSPC)} (os error 28)"
    assert space_fault(IcechunkError(text)) == "the disk is full"
    assert isinstance(outcome_of(ValueError(text)), Failed)
    assert isinstance(outcome_of(RejectScene(text, text, text)), Rejected)


def test_an_empty_archive_is_no_matter_of_space(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(RejectScene) as caught:
        unpack(tmp_path / "a.zip", tmp_path / "out", Limits(10, 1000, 10))
    assert space_fault(caught.value) is None


def test_an_error_inside_gets_its_name(tmp_path: Path) -> None:
    said = r"the disk is full: [\d,.]+ MB free, at least 3.0 MB needed"
    with pytest.raises(StoreFull, match=said) as caught, room(tmp_path, 3_000_000):
        raise FULL
    assert len(str(caught.value).splitlines()) == 1
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(KeyError), room(tmp_path):
        raise KeyError
    with pytest.raises(NotFound), room(tmp_path):
        raise NotFound("a") from FULL


def test_a_read_only_disk_needs_no_space(tmp_path: Path) -> None:
    assert "free" not in str(full(tmp_path, "the disk is read-only", 5))


def test_space_is_required_before_the_first_byte(tmp_path: Path) -> None:
    require_free(tmp_path / "not" / "there", 0)
    with pytest.raises(StoreFull, match="needed"):
        require_free(tmp_path / "not" / "there", free_bytes(tmp_path) * 2)
