from shared.deliveries import views
from shared.deliveries.models import Attempt, Delivery, DeliveryState
from shared.events.accept import MAX_EVENT_BYTES
from shared.outbound.response import Cause, Timings
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

# Lambda refuses an answer of more.
MAX_ANSWER = 6 * 1024 * 1024


def failing(number: int, attempts: int = 21) -> Delivery:
    """As large as one becomes: every attempt with a whole excerpt."""
    config_id = f"{number:064d}"
    return Delivery(
        workspace_id=WORKSPACE,
        request_id=factories.request_id(config_id),
        event_id="e" * 128,
        event_type="t" * 128,
        config_id=config_id,
        state=DeliveryState.WAITING,
        attempt=attempts,
        attempts=tuple(
            Attempt(
                number=attempt + 1,
                started_at=NOW,
                succeeded=False,
                status_code=500,
                cause=Cause.HTTP_STATUS,
                detail="x" * 100,
                address="2001:0db8:0000:0000:0000:0000:0000:0001",
                timings=Timings(total=10_000, dns=10_000, connect=3_000, tls=3_000),
                excerpt="\N{SNOWMAN}" * 340,
                next_wait_ms=86_400_000,
            )
            for attempt in range(attempts)
        ),
        created_at=NOW,
        next_attempt_at=NOW,
    )


def size(count: int, attempts: int = 21) -> int:
    deliveries = [failing(number, attempts) for number in range(count)]
    event = factories.event(payload='{"x": "' + "x" * MAX_EVENT_BYTES + '"}')
    return len(views.event_with(event, deliveries).model_dump_json())


def test_an_event_of_any_number_of_deliveries_fits_an_answer() -> None:
    assert size(views.MAX_WITH_ATTEMPTS) < MAX_ANSWER
    assert size(views.MAX_SHOWN, attempts=0) < MAX_ANSWER


def test_of_very_many_deliveries_the_first_are_shown() -> None:
    deliveries = [failing(number, attempts=0) for number in range(views.MAX_SHOWN + 1)]

    every = views.event_with(factories.event(), deliveries[:-1])
    more = views.event_with(factories.event(), deliveries)

    assert every.deliveries == more.deliveries
    assert (every.has_more_deliveries, more.has_more_deliveries) == (False, True)


def test_an_event_shows_attempts_without_what_receivers_answered() -> None:
    shown = views.event_with(factories.event(), [failing(1, attempts=2)])

    attempts = shown.deliveries[0].attempts
    assert attempts is not None
    assert [attempt.response_excerpt for attempt in attempts] == [None, None]


def test_one_of_very_many_deliveries_shows_no_attempts() -> None:
    deliveries = [failing(number, attempts=1) for number in range(views.MAX_WITH_ATTEMPTS + 1)]

    shown = views.event_with(factories.event(), deliveries)

    assert {delivery.attempts for delivery in shown.deliveries} == {None}


def test_one_delivery_shows_all_that_there_is() -> None:
    shown = views.full(failing(1, attempts=2))

    assert [len(attempt.response_excerpt or "") for attempt in shown.attempts] == [340, 340]
