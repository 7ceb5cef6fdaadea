"""A class name means one thing in the whole product."""

from tests.sources import repeated_classes


def test_a_class_name_means_one_thing() -> None:
    assert not repeated_classes()
