"""In which order places are asked, and what is news about them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from provserver.passwords.external.places import Places

URLS = ("https://a/", "https://b/", "https://c/")


def places(clock: Clock | None = None) -> Places:
    return Places(URLS, (clock or Clock()).seconds, 30)


def test_they_are_asked_in_the_order_of_the_settings() -> None:
    assert places().in_order() == list(URLS)


def test_one_that_failed_is_asked_after_the_others_and_returns_to_its_turn() -> None:
    clock = Clock()
    asked = places(clock)
    asked.failed(URLS[0], "no connection")
    assert asked.in_order() == [URLS[1], URLS[2], URLS[0]]
    clock.advance(29)
    assert asked.in_order() == [URLS[1], URLS[2], URLS[0]]
    clock.advance(1)
    assert asked.in_order() == list(URLS)


def test_one_that_fails_again_is_down_for_as_long_again() -> None:
    clock = Clock()
    asked = places(clock)
    asked.failed(URLS[0], "no connection")
    clock.advance(29)
    asked.failed(URLS[0], "no connection")
    clock.advance(29)
    assert asked.in_order()[0] == URLS[1]


def test_one_that_answers_is_back_at_once() -> None:
    asked = places()
    asked.failed(URLS[0], "no connection")
    assert asked.answered(URLS[0])
    assert asked.in_order() == list(URLS)
    assert not asked.answered(URLS[0]), "no news"


def test_a_cause_is_news_once_until_there_is_another_or_it_has_answered() -> None:
    asked = places()
    assert asked.failed(URLS[0], "no connection")
    assert not asked.failed(URLS[0], "no connection")
    assert asked.failed(URLS[1], "no connection")
    assert asked.failed(URLS[0], "no answer")
    assert asked.failed(URLS[0], "no connection")
    asked.answered(URLS[0])
    assert asked.failed(URLS[0], "no connection")


@given(st.lists(st.tuples(st.sampled_from(URLS), st.booleans(), st.floats(0, 40))))
def test_nobody_is_left_out_and_those_who_are_up_come_first(events: list[tuple[str, bool, float]]) -> None:
    clock = Clock()
    asked = places(clock)
    down: dict[str, float] = {}
    for url, well, seconds in events:
        if well:
            asked.answered(url)
            down.pop(url, None)
        else:
            asked.failed(url, "why")
            down[url] = clock.seconds() + 30
        clock.advance(seconds)
    up = [url for url in URLS if down.get(url, 0) <= clock.seconds()]
    assert asked.in_order() == up + [url for url in URLS if url not in up]
