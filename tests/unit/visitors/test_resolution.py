"""Who it is, told from what stands in the table."""

from shared.clock import MS_PER_DAY
from shared.visitors.models import Identity, IdentityKind, Known, Trace, VisitorEntry, VisitorRecord
from shared.visitors.resolution import MAX_IDENTITIES, Resolution, resolve
from tests.factories import WORKSPACE
from tests.fakes import NOW

EMAIL = Identity(kind=IdentityKind.EMAIL, value="Alice@Example.com")
SESSION = Identity(kind=IdentityKind.SESSION, value="12345678")


def visitor(
    visitor_id: str, *identities: Identity, first_seen_at: int = NOW, seen_at: int = NOW
) -> VisitorRecord:
    known = {
        one.key(WORKSPACE): Known(kind=one.kind, value=one.value, seen_at=seen_at)
        for one in identities
    }
    return VisitorRecord(
        workspace_id=WORKSPACE,
        visitor_id=visitor_id,
        first_seen_at=first_seen_at,
        last_seen_at=seen_at,
        identities=known,
    )


def trace(identity: Identity, found: VisitorRecord | None = None) -> Trace:
    return Trace(identity=identity, entry=VisitorEntry(pk="pk"), visitor=found)


def resolved(*traces: Trace, now: int = NOW) -> Resolution:
    return resolve(WORKSPACE, traces, now, "vis_new")


def others(count: int) -> list[Identity]:
    return [Identity(kind=IdentityKind.SESSION, value=f"other-{number}") for number in range(count)]


class TestSomebodyUnknown:
    def test_is_new_even_without_email_and_session(self) -> None:
        found = resolved()

        assert found.is_new
        assert found.visitor.visitor_id == "vis_new"
        assert found.visitor.identities == {}

    def test_with_an_email_is_known_by_it_from_then_on(self) -> None:
        found = resolved(trace(EMAIL))

        (known,) = found.visitor.identities.values()
        assert (found.is_new, found.visitor.visitor_id) == (True, "vis_new")
        assert (known.kind, known.value) == (IdentityKind.EMAIL, "Alice@Example.com")
        assert found.tied == (trace(EMAIL),)

    def test_with_a_session_has_it_for_an_id(self) -> None:
        found = resolved(trace(EMAIL), trace(SESSION))

        assert found.visitor.visitor_id == "12345678"
        assert len(found.visitor.identities) == 2


class TestSomebodyKnown:
    def test_costs_nothing_within_a_day(self) -> None:
        alice = visitor("alice", EMAIL, SESSION)

        found = resolved(trace(EMAIL, alice), trace(SESSION, alice), now=NOW + MS_PER_DAY - 1)

        assert found == Resolution(visitor=alice)

    def test_is_noted_again_after_a_day(self) -> None:
        alice = visitor("alice", EMAIL, SESSION)

        found = resolved(trace(EMAIL, alice), now=NOW + MS_PER_DAY)

        assert found.tied == (trace(EMAIL, alice),)

    def test_is_known_by_what_comes_with_a_known_email(self) -> None:
        alice = visitor("alice", EMAIL)

        found = resolved(trace(EMAIL, alice), trace(SESSION))

        assert (found.visitor, found.is_new) == (alice, False)
        assert found.tied == (trace(SESSION),)

    def test_is_known_by_their_own_id(self) -> None:
        alice = visitor("12345678", EMAIL)

        assert resolved(trace(SESSION, alice)) == Resolution(visitor=alice)

    def test_is_tied_to_no_more_than_a_person_has(self) -> None:
        alice = visitor("alice", EMAIL, *others(MAX_IDENTITIES - 1))

        found = resolved(trace(EMAIL, alice), trace(SESSION), now=NOW + MS_PER_DAY)

        assert found.tied == (trace(EMAIL, alice),)

    def test_may_be_tied_to_too_many_already(self) -> None:
        alice = visitor("alice", EMAIL, *others(MAX_IDENTITIES + 2))

        assert resolved(trace(EMAIL, alice), trace(SESSION)).tied == ()


class TestTwoWhoAreOne:
    def test_become_the_older_of_them(self) -> None:
        older, younger = visitor("a", EMAIL, first_seen_at=NOW - 1), visitor("b", SESSION)

        found = resolved(trace(EMAIL, older), trace(SESSION, younger))

        assert (found.visitor, found.absorbed) == (older, younger)
        assert found.tied == (trace(SESSION, younger),)

    def test_become_the_older_of_them_in_any_order(self) -> None:
        older, younger = visitor("a", SESSION, first_seen_at=NOW - 1), visitor("b", EMAIL)

        found = resolved(trace(EMAIL, younger), trace(SESSION, older))

        assert (found.visitor, found.absorbed) == (older, younger)

    def test_of_the_same_age_become_the_same_one_wherever_that_is_decided(self) -> None:
        one, other = visitor("a", EMAIL), visitor("b", SESSION)

        found = resolved(trace(EMAIL, one), trace(SESSION, other))

        assert found.visitor == resolved(trace(EMAIL, other), trace(SESSION, one)).visitor

    def test_stay_two_if_one_would_be_more_than_a_person_is(self) -> None:
        older = visitor("a", SESSION, *others(MAX_IDENTITIES - 1), first_seen_at=NOW - 1)
        younger = visitor("b", EMAIL)

        found = resolved(trace(EMAIL, younger), trace(SESSION, older))

        assert found == Resolution(visitor=younger)


class TestAnIdentity:
    def test_that_differs_in_case_or_space_is_the_same_address(self) -> None:
        again = Identity(kind=IdentityKind.EMAIL, value=" ALICE@example.COM ")

        assert again.key(WORKSPACE) == EMAIL.key(WORKSPACE)

    def test_that_differs_in_case_is_another_session(self) -> None:
        one, other = (Identity(kind=IdentityKind.SESSION, value=value) for value in "aA")

        assert one.key(WORKSPACE) != other.key(WORKSPACE)

    def test_is_another_one_in_another_workspace(self) -> None:
        assert EMAIL.key(WORKSPACE) != EMAIL.key("another")

    def test_tells_nothing_of_itself_in_its_key(self) -> None:
        assert len(EMAIL.key(WORKSPACE)) == len(SESSION.key(WORKSPACE)) == 32
        assert "alice" not in EMAIL.key(WORKSPACE)


def test_a_visitor_has_events_under_every_id_that_was_theirs() -> None:
    alice = visitor("vis_1", EMAIL, SESSION).model_copy(update={"merged": frozenset({"vis_2"})})

    assert alice.ids == {"vis_1", "vis_2", "12345678"}
