import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aws import items as packing
from shared.aws.items import IncompleteError, pack, unpack
from tests import factories


@given(st.binary(max_size=2_000))
def test_what_was_packed_comes_back(content: bytes) -> None:
    assert unpack(pack(content)) == content


@pytest.mark.parametrize("event_type", ["conversion_triggered", "node_execution", "on_action"])
def test_an_event_becomes_less_than_half(event_type: str) -> None:
    content = json.dumps(factories.event_json(event_type)).encode()

    assert len(pack(content)) < len(content) / 2


def test_the_largest_event_comes_back() -> None:
    content = b"x" * 256 * 1024

    assert unpack(pack(content)) == content


def test_what_an_older_dictionary_packed_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(b'{"visitor":{}}')

    monkeypatch.setattr(packing, "_CURRENT", 2)
    monkeypatch.setitem(packing._DICTIONARIES, 2, b"another")

    assert unpack(packed) == b'{"visitor":{}}'
    assert pack(b"")[0] == 2


def test_the_first_dictionary_is_what_it_was() -> None:
    """Of a stored payload, so that nobody changes what stored ones need."""
    stored = bytes.fromhex("01c32d536688351e6a6b01")

    assert unpack(stored) == b'{"visitor":{"visitor_id":"v1","country_code":"US"}}'


def test_text_that_was_never_packed_is_read_as_it_is() -> None:
    assert unpack('{"city":"Zürich"}') == '{"city":"Zürich"}'.encode()


@given(st.binary(max_size=200), st.data())
def test_what_was_cut_off_is_not_taken_for_the_whole(content: bytes, data: st.DataObject) -> None:
    packed = pack(content)
    cut = data.draw(st.integers(1, len(packed) - 1))

    with pytest.raises(IncompleteError):
        unpack(packed[:cut])
