"""A class name means one thing in the whole product."""

from tests.sources import repeated_classes

# How many names still mean more than one thing.
AT_MOST = 32


def test_a_class_name_means_one_thing() -> None:
    assert len(found := repeated_classes()) <= AT_MOST, found
