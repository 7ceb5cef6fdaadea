from shared.jobs import Cursor
from shared.privacy.content_expiry import _LATE, _LOG, _beyond


def test_a_pass_begins_with_the_late_events() -> None:
    assert Cursor().part == _LATE


def test_a_pass_goes_on_with_the_log_where_the_last_one_ended() -> None:
    late = Cursor(part=_LATE, kept="5")

    further = _beyond(late, "2", is_last=False)
    through = _beyond(further, "3", is_last=True)

    assert further == Cursor(part=_LATE, after="2", kept="5")
    assert through == Cursor(part=_LOG, after="5")


def test_a_pass_is_over_at_the_end_of_the_log() -> None:
    cursor = Cursor(part=_LOG, after="5")

    assert _beyond(cursor, "6", is_last=False) == Cursor(part=_LOG, after="6")
    assert _beyond(cursor, "7", is_last=True) == Cursor(part=_LATE, kept="7")
