"""The queue: each product once, the forward lane never kept waiting, the past within its limit, newest first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from services.ingest.fetch.queue import Lane, Queue, Wanted

LIMIT = 2


def wanted(number: int, lane: Lane = "forward") -> Wanted:
    return Wanted("c", "2018-W23", f"p{number}", lane, float(number))


class Queues(RuleBasedStateMachine):
    """Compares the queue with a list of all that waits."""

    taken = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.now_s = Queue(LIMIT), 0.0
        self.waits: dict[Wanted, float] = {}
        self.running: list[Wanted] = []

    @rule(number=st.integers(0, 20), is_forward=st.booleans(), after_s=st.integers(0, 3))
    def put(self, number: int, is_forward: bool, after_s: int) -> None:
        known = {each.product for each in [*self.waits, *self.running]}
        product = wanted(number, "forward" if is_forward else "backfill")
        self.queue.put(product, self.now_s + after_s)
        if product.product not in known:
            self.waits[product] = self.now_s + after_s

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @rule(target=taken)
    def take(self) -> Wanted | None:
        due = [each for each, at_s in self.waits.items() if at_s <= self.now_s]
        past = sum(each.lane == "backfill" for each in self.running)
        may = [each for each in due if each.lane == "forward"] or [each for each in due if past < LIMIT]
        best = min(may, key=lambda each: each.order, default=None)
        found = self.queue.take(self.now_s)
        assert found == best
        if found is not None:
            del self.waits[found]
            self.running.append(found)
        return found

    @rule(product=consumes(taken))
    def end(self, product: Wanted | None) -> None:
        if product is not None:
            self.queue.ended(product)
            self.running.remove(product)

    @rule(product=consumes(taken), after_s=st.integers(0, 3))
    def again(self, product: Wanted | None, after_s: int) -> None:
        if product is not None:
            self.queue.again(product, self.now_s + after_s)
            self.running.remove(product)
            self.waits[product] = self.now_s + after_s

    @rule()
    def drain(self) -> None:
        assert set(self.queue.drain()) == set(self.waits)
        self.waits.clear()

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == len(self.waits) + len(self.running)
        assert self.queue.running == len(self.running)
        assert sum(each.lane == "backfill" for each in self.running) <= LIMIT
        for lane in ("forward", "backfill"):
            assert self.queue.count(lane) == sum(each.lane == lane for each in self.waits)  # type: ignore[arg-type]


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=40, stateful_step_count=40)


@given(st.lists(st.integers(0, 1000), unique=True, min_size=1))
def test_a_lane_is_taken_newest_first(numbers: list[int]) -> None:
    queue = Queue(1)
    for number in numbers:
        queue.put(wanted(number))
    taken = [queue.take(0.0) for _ in numbers]
    assert [each.sensed_s for each in taken if each] == sorted(map(float, numbers), reverse=True)


def test_a_flood_of_the_past_leaves_a_connection_to_today() -> None:
    queue = Queue(3)
    for number in range(10_000):
        queue.put(wanted(number, "backfill"))
    assert [queue.take(0.0) is not None for _ in range(4)] == [True, True, True, False]
    queue.put(wanted(1_000_000))
    found = queue.take(0.0)
    assert found is not None
    assert found.lane == "forward"


def test_many_products_are_put_and_taken_in_little_time() -> None:
    queue = Queue(1)
    for number in range(20_000):
        queue.put(wanted(number))
        queue.put(wanted(number))
    count = 0
    while (found := queue.take(0.0)) is not None:
        queue.ended(found)
        count += 1
    assert count == 20_000
    assert len(queue) == 0
