from shared.aws.items import Update


def test_values_are_set() -> None:
    request = Update().set({"state": "waiting", "attempt": 2}).request()

    assert request == {
        "UpdateExpression": "SET #state = :state, #attempt = :attempt",
        "ExpressionAttributeNames": {"#state": "state", "#attempt": "attempt"},
        "ExpressionAttributeValues": {":state": {"S": "waiting"}, ":attempt": {"N": "2"}},
    }


def test_none_removes() -> None:
    request = Update().set({"attempt": 2, "lease": None, "wake_at": None}).request()

    assert request["UpdateExpression"] == "SET #attempt = :attempt REMOVE #lease, #wake_at"
    assert request["ExpressionAttributeValues"] == {":attempt": {"N": "2"}}


def test_places_within_documents_are_removed() -> None:
    request = Update().set({"lease": None}).remove("attempts[0].excerpt").request()

    assert request["UpdateExpression"] == "REMOVE #lease, attempts[0].excerpt"


def test_what_is_set_once_stays_as_it_was() -> None:
    request = Update().once({"built_at": 5}).request()

    assert request["UpdateExpression"] == "SET #built_at = if_not_exists(#built_at, :built_at)"


def test_a_list_grows_from_nothing() -> None:
    request = Update().append("attempts", {"number": 1}).request()

    assert request["UpdateExpression"] == (
        "SET #attempts = list_append(if_not_exists(#attempts, :empty), :attempts)"
    )
    assert request["ExpressionAttributeValues"] == {
        ":attempts": {"L": [{"M": {"number": {"N": "1"}}}]},
        ":empty": {"L": []},
    }


def test_a_condition_has_values_of_its_own() -> None:
    update = Update().set({"attempt": 2}).when("attempt = :when_attempt", {"attempt": 1})

    request = update.request()

    assert request["ConditionExpression"] == "attempt = :when_attempt"
    assert request["ExpressionAttributeValues"] == {
        ":attempt": {"N": "2"},
        ":when_attempt": {"N": "1"},
    }


def test_a_condition_may_name_the_reserved_word_state() -> None:
    request = Update().set({"attempt": 1}).when("#state = :when_old", {"old": "sending"}).request()

    assert request["ExpressionAttributeNames"] == {"#attempt": "attempt", "#state": "state"}


def test_a_number_is_counted_up_from_wherever_it_is() -> None:
    request = Update().set({"status": "archived"}).add("version", 1).add("count", -1).request()

    assert request["UpdateExpression"] == (
        "SET #status = :status ADD #version :version, #count :count"
    )
    assert request["ExpressionAttributeValues"] == {
        ":status": {"S": "archived"},
        ":version": {"N": "1"},
        ":count": {"N": "-1"},
    }


def test_a_condition_may_compare_with_what_is_set() -> None:
    update = Update().set({"status": "archived"})
    update.when("attribute_exists(pk) AND #status <> :when_status", {"status": "deleted"})

    request = update.request()

    assert request["ExpressionAttributeNames"] == {"#status": "status"}
    assert request["ExpressionAttributeValues"] == {
        ":status": {"S": "archived"},
        ":when_status": {"S": "deleted"},
    }


def test_entries_of_a_map_are_set_and_a_set_grows() -> None:
    update = Update().set_within("people", {"a.b": 1, "c": 2}).add("tags", frozenset({"new"}))

    request = update.request()

    assert request["UpdateExpression"] == (
        "SET #people.#people0 = :people0, #people.#people1 = :people1 ADD #tags :tags"
    )
    assert request["ExpressionAttributeNames"] == {
        "#people": "people",
        "#people0": "a.b",
        "#people1": "c",
        "#tags": "tags",
    }
    assert request["ExpressionAttributeValues"] == {
        ":people0": {"N": "1"},
        ":people1": {"N": "2"},
        ":tags": {"SS": ["new"]},
    }
