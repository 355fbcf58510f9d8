"""Damaged videos in a browser: the page says what is wrong where it is, and goes on."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from annotate_browser import NEEDS, Annotator
from annotate_server import start_server
from damaged_footage import BAD, COUNT, cut_short, pictures_with_a_bad_one, without_its_head

pytestmark = NEEDS


def test_damage_is_said_where_it_is(browser: Any, tmp_path: Path):
    made = [
        cut_short(tmp_path, "a-cut"),
        pictures_with_a_bad_one(tmp_path / "b-pictures"),
        without_its_head(tmp_path, "c-headless"),
    ]
    server = start_server([*made, "--project", tmp_path / "project", "--device", "cpu"])
    me = Annotator(browser, server)
    try:
        me.skip_tour()
        me.until(lambda: me.get(f"videos/{me.video}")["damage"], "the index")
        frames = me.get(f"videos/{me.video}")["frames"]
        me.until(lambda: f"of {frames}" in me.page.inner_text("#position"), "its length")
        assert me.page.locator("#broken").is_hidden()
        me.press("End")
        me.until(lambda: me.page.locator("#broken").is_visible(), "the damage")
        said = me.page.inner_text("#broken")
        assert f"broken at frame {frames}" in said, said
        me.picture("14-cut-short")
        me.page.select_option("#videos", label="b-pictures")
        me.until(lambda: f"of {COUNT}" in me.page.inner_text("#position"), "the pictures")
        me.go_to(str(BAD - 1))
        me.press("f")
        me.until(lambda: me.page.locator("#broken").is_visible(), "the bad picture")
        assert f"{BAD:03d}.png" in me.page.inner_text("#broken")
        me.page.click("#stage")
        me.until(lambda: "cannot be read" in me.page.inner_text("#messages"), "no prompt there")
        me.picture("15-bad-picture")
        me.press("f")
        me.until(lambda: f"frame {BAD + 1} " in me.page.inner_text("#position"), "the next one")
        assert me.page.locator("#broken").is_hidden()
        me.go_to(str(BAD - 2))
        me.press("Space")
        me.until(lambda: f"frame {BAD + 1} " < me.page.inner_text("#position"), "it plays on")
        me.page.select_option("#videos", label="c-headless.mp4")
        me.until(lambda: "headless" in me.page.inner_text("#trouble"), "what cannot be opened")
        me.picture("16-headless")
        assert not me.errors
    finally:
        me.context.close()
        server.stop()


def test_an_index_that_is_ready_while_the_page_opens_is_not_missed(browser: Any, tmp_path: Path):
    """The video as it was before the index, which the page gets after it was told of the index."""
    server = start_server(
        [cut_short(tmp_path, "cut"), "--project", tmp_path / "project", "--device", "cpu"]
    )
    held: list[str] = []

    def late(route: Any) -> None:
        answer = route.fetch()
        if held:
            return route.fulfill(response=answer)
        held.append(route.request.url)
        before = {**answer.json(), "indexed": False, "frames": 1, "damage": None}
        end = time.monotonic() + 20
        while not answer.json()["indexed"] and time.monotonic() < end:
            time.sleep(0.1)
            answer = route.fetch()
        time.sleep(0.5)  # the page hears of it
        return route.fulfill(response=answer, json=before)

    me = Annotator(browser, server, lambda page: page.route(re.compile("/api/videos/[^/]+$"), late))
    try:
        assert held
        me.skip_tour()
        frames = me.get(f"videos/{me.video}")["frames"]
        assert frames > 1
        me.until(lambda: f"of {frames}" in me.page.inner_text("#position"), "its length")
    finally:
        me.context.close()
        server.stop()
