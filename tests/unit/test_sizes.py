"""How lines are counted, and which of them stand in two places."""

from tests.local.sizes import RUN_LINES, Run, Size, repeated_runs

RUN = "".join(f"line_{number} = {number}\n" for number in range(RUN_LINES))


def test_lines_are_blank_or_filled() -> None:
    assert Size.of(["one\n\n  \ntwo\n", ""]) == Size(files=2, lines=4, filled=2)


class TestARunOfLines:
    def test_is_found_in_two_modules(self) -> None:
        texts = {"a": f"before = 1\n{RUN}", "b": f"\n\n{RUN}after = 2\n"}

        assert repeated_runs(texts) == [Run(RUN_LINES, "a:2", "b:3")]

    def test_is_found_twice_in_one_module(self) -> None:
        assert repeated_runs({"a": f"{RUN}{RUN}"}) == [Run(RUN_LINES, "a:1", f"a:{RUN_LINES + 1}")]

    def test_is_counted_once_at_its_full_length(self) -> None:
        text = f"{RUN}one_more = 1\nlast = 2\n"

        assert repeated_runs({"a": text, "b": text}) == [Run(RUN_LINES + 2, "a:1", "b:1")]

    def test_is_the_same_at_another_depth_and_with_blank_lines(self) -> None:
        deeper = "def f():\n" + RUN.replace("line", "\n    line")

        assert repeated_runs({"a": RUN, "b": deeper}) == [Run(RUN_LINES, "a:1", "b:3")]

    def test_is_not_what_two_modules_import(self) -> None:
        imports = "from b import (\n" + "".join(f"    name_{n},\n" for n in range(8)) + ")\n"

        assert not repeated_runs({"a": imports, "b": imports})

    def test_is_long(self) -> None:
        short = "".join(RUN.splitlines(keepends=True)[1:])

        assert not repeated_runs({"a": short, "b": short})

    def test_does_not_overlap_with_itself(self) -> None:
        assert not repeated_runs({"a": "same = 1\n" * (RUN_LINES + 1)})
