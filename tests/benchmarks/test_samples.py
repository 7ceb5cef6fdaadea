import pytest

from tests.benchmarks import samples
from tests.benchmarks.samples import TooSmallError


@pytest.mark.parametrize("size", [1024, 1025, 1100, 10 * 1024])
def test_an_event_has_the_size_that_was_asked_for(size: int) -> None:
    for event in samples.events(size, 20):
        assert len(samples.text(event)) == size


def test_a_seed_gives_the_same_events_every_time() -> None:
    first, again, other = (list(samples.events(1024, 3, seed)) for seed in (1, 1, 2))

    assert first == again != other


def test_an_event_cannot_be_smaller_than_what_it_says() -> None:
    with pytest.raises(TooSmallError):
        next(samples.events(100, 1))
