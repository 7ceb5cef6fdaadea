from shared.privacy.content_expiry import ExpiryCursor


def test_a_pass_begins_with_what_was_late() -> None:
    assert ExpiryCursor.read("") == ExpiryCursor(late="", read_to="")


def test_a_pass_goes_on_with_the_log_where_the_last_one_ended() -> None:
    late = ExpiryCursor(late="", read_to="5")

    further = late.beyond("2", is_last=False)
    through = further.beyond("3", is_last=True)

    assert (further.after, through.after) == ("2", "5")
    assert through == ExpiryCursor(late=None, read_to="5")


def test_a_pass_is_over_at_the_end_of_the_log() -> None:
    place = ExpiryCursor(late=None, read_to="5")

    assert place.beyond("6", is_last=False) == ExpiryCursor(late=None, read_to="6")
    assert place.beyond("7", is_last=True) == ExpiryCursor(late="", read_to="7")


def test_a_place_is_read_as_it_was_written() -> None:
    place = ExpiryCursor(late=None, read_to="001777485855000#f4d3")

    assert ExpiryCursor.read(place.model_dump_json()) == place
