"""An event type of a workspace's own, from its making to the door."""

from typing import Any

from tests.stack.client import Client, until

PATH = "/v1/eventtypes"
PARCEL: dict[str, Any] = {
    "name": "parcel.sent",
    "group": "Parcels",
    "schema": {
        "properties": {
            "items": {"items": {"required": ["sku"], "properties": {"sku": {"type": "string"}}}},
        },
    },
}


def send(client: Client, *items: dict[str, Any]) -> Any:
    event = {"event_type": "parcel.sent", "subject_type": "Parcel", "subject_id": 7}
    return client.call("POST", "/v1/events", json=event | {"data": {"items": items}})


def test_an_event_that_breaks_the_schema_is_refused_and_a_good_one_accepted(
    client: Client,
) -> None:
    assert client.call("POST", PATH, json=PARCEL).status_code == 201

    bad, good = send(client, {"sku": "a"}, {"sku": 5}, {}), send(client, {"sku": "a"})

    assert bad.status_code == 400
    assert bad.json()["error"]["fields"] == [
        {"path": "data.items.1.sku", "message": 'the value is not of type "string"'},
        {"path": "data.items.2.sku", "message": "is required"},
    ]
    assert good.status_code == 202
    listed = client.call("GET", "/v1/events").json()["data"]
    assert [event["event_id"] for event in listed] == [good.json()["event_id"]]


def test_a_type_is_listed_shown_replaced_and_deleted_at_both_spellings(client: Client) -> None:
    for path in (PATH, PATH + "/"):
        assert client.call("POST", path, json=PARCEL).status_code == 201
        assert client.call("POST", path, json=PARCEL).status_code == 200
        shown = client.call("GET", path + "?name=parcel.sent")
        assert shown.json()["schema"] == PARCEL["schema"]
        own = client.call("GET", path + "?own=true").json()["data"]
        assert [one["name"] for one in own] == ["parcel.sent"]
        assert client.call("DELETE", path + "?name=parcel.sent").status_code == 204
        assert client.call("GET", path + "?name=parcel.sent").status_code == 404


def test_a_schema_is_heeded_within_30_seconds_by_workers_that_knew_none(client: Client) -> None:
    assert send(client, {"sku": 5}).status_code == 202

    client.call("POST", PATH, json=PARCEL)

    until(lambda: send(client, {"sku": 5}).status_code == 400, "the schema is heeded")
