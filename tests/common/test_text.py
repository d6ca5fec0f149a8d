"""Lists, durations and messages, as sentences have them."""

import pytest

from synaug_ray.common.text import counted, duration, first_few, listed, long_duration, one_line, printable, some, times


def test_a_message_of_several_lines_becomes_one_and_a_missing_one_is_the_classs_name():
    assert one_line(ValueError("a\n  b\tc ")) == "a b c" and one_line("a\n b") == "a b"
    assert one_line(ValueError("abcdef"), 3) == "abc"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt" and one_line(" \n") == ""


def test_lists():
    assert [times(n) for n in (1, 2, 1_000)] == ["once", "2 times", "1,000 times"]
    assert [listed(range(n)) for n in (1, 2, 3)] == ["0", "0 and 1", "0, 1 and 2"]
    assert some("abcde") == "a, b, c, d, e" and some("abcdef") == "a, b, c, d, e, ..." and some([]) == ""
    assert first_few("ab", 2) == "a, b" and first_few(map(str, range(1_234)), 1) == "0 and 1,233 more"
    assert some(["a\nb\udc80"]) == r"a\nb\udc80" and printable("é\x00") == r"é\x00"


@pytest.mark.parametrize(
    "seconds,short,long",
    [
        (0.2, "0 s", "1 seconds"),
        (89, "89 s", "89 seconds"),
        (130, "2 min", "2 minutes"),
        (5_399, "90 min", "90 minutes"),
        (7_300, "2.0 h", "2 hours"),
        (200_000, "55.6 h", "2 days"),
        (500_000, "6 days", "6 days"),
        (1e8, "3 years", "1157 days"),
    ],
)
def test_durations(seconds, short, long):
    assert duration(seconds) == short and long_duration(seconds) == long


def test_counts_have_a_number_and_lists_at_the_end_of_a_sentence_no_dots():
    assert (counted(1, "cell"), counted(0, "cell"), counted(1234, "cell")) == ("1 cell", "0 cells", "1,234 cells")
    assert counted(2, "class", "classes") == "2 classes"
    assert first_few("abcdef", 5) == "a, b, c, d, e and 1 more" and first_few(["a\nb"], 2) == r"a\nb"
