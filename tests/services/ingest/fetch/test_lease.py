"""Leases: one holder at a time, whatever the clocks of the machines say, and whoever sleeps over his."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from services.ingest.fetch.lease import CLOCK_S, Lease, StoreClock, new_owner
from shared.items.products import OWN
from shared.store import FolderStore, ObjectInfo

PREFIX = f"{OWN}lead/"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def lease(store: FolderStore, owner: str = "a", lease_s: float = 100.0, ahead_s: float = 0.0) -> Lease:
    clock = StoreClock(store, owner)
    return Lease(store, PREFIX, owner, lambda: clock() + ahead_s, lease_s)


def age(store: FolderStore, number: int, seconds: float) -> None:
    """Make a claim look older, by the store's own time."""
    path = Path(store.location) / f"{PREFIX}{number:06d}.json"
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_one_holds_until_it_lets_go(store: FolderStore) -> None:
    one, other = lease(store, "a"), lease(store, "b")
    assert one.take()
    assert not other.take()
    assert one.renew()
    assert not other.renew()
    one.release()
    assert other.take()
    assert not one.take()
    assert not one.renew()
    one.release()
    assert other.renew(), "whoever does not hold it cannot let go of it"


def test_a_claim_that_is_not_renewed_is_void_and_its_owner_learns_of_it(store: FolderStore) -> None:
    one, other = lease(store, "a"), lease(store, "b")
    assert one.take()
    age(store, 1, 99)
    assert not other.take()
    age(store, 1, 2)
    assert other.take()
    assert not one.renew(), "whoever wakes up late holds nothing"
    assert other.renew()


def test_the_machine_s_own_clock_does_not_count(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = lease(store, "a"), lease(store, "b")
    assert one.take()
    monkeypatch.setattr(time, "time", lambda: 1e10)
    assert not other.take()


def test_of_many_at_once_one_gets_it(store: FolderStore) -> None:
    for _ in range(5):
        many = [lease(store, str(number)) for number in range(8)]
        got = list[Lease]()
        barrier = threading.Barrier(len(many))

        def take(each: Lease, got: list[Lease] = got, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            if each.take():
                got.append(each)

        threads = [threading.Thread(target=take, args=(each,)) for each in many]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        got[0].release()


def test_a_renewal_between_look_and_claim_keeps_the_other_one_out(store: FolderStore) -> None:
    """Whoever found a claim too old while its owner made it young again must not believe that it holds."""
    one = lease(store, "a")
    assert one.take()
    age(store, 1, 200)

    class Slow(FolderStore):
        def put(self, key: str, data: bytes | Path, *, create_only: bool = False) -> ObjectInfo:
            if key.startswith(PREFIX) and create_only:
                assert one.renew(), "the owner wakes up at the worst moment"
            return super().put(key, data, create_only=create_only)

    slow = Slow(Path(store.location))
    other = lease(slow, "b")
    assert not other.take()
    assert not other.renew()
    assert not lease(store, "c").take(), "nobody gets it while the first one may still believe in its claim"


def test_a_damaged_claim_is_void_once_it_is_old(store: FolderStore) -> None:
    store.put(f"{PREFIX}000007.json", b"not json")
    assert not lease(store).take()
    age(store, 7, 200)
    assert lease(store).take()
    assert store.exists(f"{PREFIX}000008.json")


def test_names_that_are_no_claims_are_left_alone(store: FolderStore) -> None:
    store.put(f"{PREFIX}notes.txt", b"")
    assert lease(store).take()


def test_the_store_s_clock_is_never_ahead_of_the_store(tmp_path: Path) -> None:
    now = [1000.0]

    class Late(FolderStore):
        def put(self, key: str, data: bytes | Path, *, create_only: bool = False) -> ObjectInfo:
            found = super().put(key, data, create_only=create_only)
            now[0] += 5.0  # the answer takes long
            return found

    clock = StoreClock(Late(tmp_path / "store"), "a", lambda: now[0])
    assert clock() <= time.time()
    first = clock()
    now[0] += 10.0
    assert clock() == pytest.approx(first + 10.0)


def test_the_store_s_clock_is_read_again_from_time_to_time(tmp_path: Path) -> None:
    now, puts = [0.0], list[str]()

    class Counting(FolderStore):
        def put(self, key: str, data: bytes | Path, *, create_only: bool = False) -> ObjectInfo:
            puts.append(key)
            return super().put(key, data, create_only=create_only)

    clock = StoreClock(Counting(tmp_path / "store"), "a", lambda: now[0])
    for _ in range(10):
        clock()
    assert len(puts) == 1
    now[0] += CLOCK_S
    clock()
    assert len(puts) == 2
    assert clock.now().year >= 2024


def test_owners_are_unlike() -> None:
    assert new_owner() != new_owner()


def test_who_has_the_store_alone_waits_for_nobody(store: FolderStore) -> None:
    clock = StoreClock(store, "a")
    assert Lease(store, "products/x/claims/", "dead", clock, 1000.0).take()
    assert not Lease(store, "products/x/claims/", "b", clock, 1000.0).take()
    assert Lease(store, "products/x/claims/", "b", clock, 1000.0, alone=True).take()
