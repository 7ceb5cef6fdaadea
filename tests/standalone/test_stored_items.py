"""Items that another version of the program or of Python has stored can be read."""

from shared.standalone.engine.sqlite import packed, unpacked
from shared.standalone.engine.values import Item

ITEM: Item = {
    "pk": {"S": "a"},
    "n": {"N": "1"},
    "b": {"B": b"\x00\xff"},
    "l": {"L": [{"M": {}}]},
    "t": {"BOOL": True},
}
# Of marshal's version 4, as Python 3.11 writes it.
STORED = (
    "7bda02706b7bda0153da016130da016e7bda014eda013130da01627bda0142f30200000000ff30da016c7bda014c"
    "5b010000007bda014d7b303030da01747bda04424f4f4c543030"
)


def test_the_bytes_of_an_item_stay_readable() -> None:
    assert unpacked(bytes.fromhex(STORED)) == ITEM
    assert unpacked(packed(ITEM)) == ITEM
