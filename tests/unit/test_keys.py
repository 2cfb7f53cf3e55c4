"""What a key and its events' order say."""

import pytest

from domain.keys import Sequencer, key_fault, newer_sequencer, outermost, unclean_segment


def test_the_later_sequencer_counts_where_that_can_be_told() -> None:
    """Another length tells nothing: the known one stands."""
    one, two, ten, longer = (Sequencer(text) for text in ("01", "02", "0a", "002"))
    assert newer_sequencer(None, two) == two
    assert newer_sequencer(one, None) == one
    assert newer_sequencer(one, two) == two
    assert newer_sequencer(two, one) == two
    assert newer_sequencer(one, longer) == one
    assert newer_sequencer(two, ten) == ten
    assert Sequencer("1a").value == 26
    with pytest.raises(ValueError, match="invalid literal"):
        Sequencer("0g")


def test_the_known_sequencer_stands_where_both_are_one_number() -> None:
    """S3 writes it in either case; the same event again changes nothing in the record."""
    assert newer_sequencer(Sequencer("0A"), Sequencer("0a")) == Sequencer("0A")


def test_a_key_is_refused_for_what_is_wrong_with_it() -> None:
    """The segments are named, and dots that lead out of the bucket from its very first segment."""
    assert unclean_segment("a//b") == "an empty segment"
    assert unclean_segment("a/./b") == "a '.' segment"
    assert unclean_segment("a/b") is None
    assert key_fault("../a") == "its '..' segments lead above the bucket"
    assert key_fault("a/../b") is None
    assert key_fault("a/../../b") is not None
    assert key_fault("./../a") == key_fault("/../a") == "its '..' segments lead above the bucket"
    assert outermost(["a/", "a/b", "b"]) == ("a/", "b")
