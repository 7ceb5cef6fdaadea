"""A short-lived cache: for how long, how many, and which values go."""

import pytest

from shared.remembered import MAX_REMEMBERED, Remembered
from tests.fakes import FakeClock


class Source:
    def __init__(self) -> None:
        self.reads: list[str] = []

    def __call__(self, key: str) -> int:
        self.reads.append(key)
        return len(key)


class Cache:
    def __init__(self, clock: FakeClock, **bounds: int) -> None:
        self.source = Source()
        self.remembered = Remembered[str, int](clock, weight_of=lambda value: value, **bounds)

    def get(self, *keys: str) -> list[int]:
        return [self.remembered.get(key, lambda key=key: self.source(key)) for key in keys]  # type: ignore[misc]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> Cache:
    return Cache(clock, max_weight=1_000_000)


def test_a_value_is_read_once_in_30_seconds(cache: Cache, clock: FakeClock) -> None:
    cache.get("crm")
    clock.advance(29.999)
    assert cache.get("crm") == [3]
    assert cache.source.reads == ["crm"]

    clock.advance(0.001)
    cache.get("crm")
    assert cache.source.reads == ["crm", "crm"]


def test_the_use_of_a_value_does_not_prolong_it(cache: Cache, clock: FakeClock) -> None:
    for _ in range(4):
        cache.get("crm")
        clock.advance(10)

    assert len(cache.source.reads) == 2


def test_an_error_is_not_remembered(cache: Cache) -> None:
    def fail() -> int:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 -- it has no text
        cache.remembered.get("crm", fail)

    assert cache.get("crm") == [3]


def test_a_value_can_be_found_without_a_read(cache: Cache, clock: FakeClock) -> None:
    assert cache.remembered.find("crm") is None
    cache.get("crm")
    assert cache.remembered.find("crm") == 3

    clock.advance(30)
    assert cache.remembered.find("crm") is None


def test_a_value_can_be_forgotten(cache: Cache) -> None:
    cache.get("crm")
    cache.remembered.forget("crm")
    cache.remembered.forget("never known")

    assert cache.remembered.find("crm") is None


def test_the_least_recently_used_value_makes_room(cache: Cache) -> None:
    cache.get(*(str(number) for number in range(MAX_REMEMBERED)))
    cache.get("0", "new")
    cache.source.reads.clear()

    cache.get("0", "2", "1")

    assert cache.source.reads == ["1"]


def test_heavy_values_make_room_for_each_other(clock: FakeClock) -> None:
    cache = Cache(clock, max_weight=7)

    cache.get("one", "two", "six", "two", "six", "one")

    assert cache.source.reads == ["one", "two", "six", "one"]


def test_a_value_that_is_heavier_than_all_room_is_kept(clock: FakeClock) -> None:
    cache = Cache(clock, max_weight=1)

    cache.get("heavy", "heavy")

    assert cache.source.reads == ["heavy"]
