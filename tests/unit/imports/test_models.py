import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.errors import InvalidError
from shared.events.models import EventId
from shared.imports.importer import counted
from shared.imports.lines import Position
from shared.imports.models import MAX_KEY_BYTES, ImportJob, ImportSource, RefusedLine, Tally
from shared.imports.queue import job_in, message_of
from tests.fakes import NOW

SOURCE = ImportSource(bucket="b", key="w/orders.jsonl", etag="e")


def refused(line: int) -> RefusedLine:
    return RefusedLine(line=line, code="invalid", message="no")


class TestASource:
    @pytest.mark.parametrize(
        ("key", "workspace"),
        [("w/a.jsonl", "w"), ("w/b/c.jsonl", "w"), ("a.jsonl", ""), ("/a.jsonl", "")],
    )
    def test_names_its_workspace_first(self, key: str, workspace: str) -> None:
        assert SOURCE.model_copy(update={"key": key}).workspace_id == workspace

    @pytest.mark.parametrize("other", [{"bucket": "c"}, {"key": "w/x.jsonl"}, {"etag": "f"}])
    def test_gives_its_lines_ids_of_their_own(self, other: dict[str, str]) -> None:
        assert SOURCE.line_id(1) == SOURCE.line_id(1)
        assert SOURCE.line_id(1) != SOURCE.line_id(2)
        assert SOURCE.line_id(1) != SOURCE.model_copy(update=other).line_id(1)

    def test_gives_ids_that_events_may_have(self) -> None:
        assert TypeAdapter(EventId).validate_python(SOURCE.line_id(10**15))

    @pytest.mark.parametrize(("length", "fits"), [(MAX_KEY_BYTES - 12, True), (1013, False)])
    def test_leaves_room_for_the_name_of_its_report(self, length: int, fits: bool) -> None:
        source = SOURCE.model_copy(update={"key": "x" * length})

        if fits:
            assert len(source.report_key) == MAX_KEY_BYTES
        else:
            with pytest.raises(InvalidError):
                _ = source.report_key


class TestATally:
    def test_counts_what_became_of_the_lines(self) -> None:
        tally = counted(Tally(accepted=1), [True, False, None, refused(4), True, None])

        assert tally == Tally(accepted=3, repeated=1, refused=1, refused_lines=(refused(4),))

    def test_keeps_the_first_hundred_refused_lines(self) -> None:
        tally = counted(Tally(), [refused(n) for n in range(1, 100)])

        tally = counted(tally, [refused(n) for n in range(100, 300)])

        assert tally.refused == 299
        assert [one.line for one in tally.refused_lines] == list(range(1, 101))


@given(st.text(max_size=500), st.text(max_size=30), st.booleans())
def test_a_job_goes_on_by_a_message_that_sqs_takes(message: str, key: str, inside: bool) -> None:
    lines = tuple(RefusedLine(line=n, code="invalid", message=message) for n in range(100))
    job = ImportJob(
        source=SOURCE.model_copy(update={"key": key}),
        started_at=NOW,
        position=Position(offset=10**13, line=10**9, inside=inside),
        tally=Tally(accepted=10**9, refused_lines=lines),
    )

    sent = message_of(job)

    assert job_in(sent, 0) == job
    assert sent.isascii()
    assert sent.isprintable()
    assert len(sent) <= 1024 * 1024
