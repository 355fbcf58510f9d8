"""The annotation page in a real browser, against the real server and the packaged model: what an
annotator does from the first look to the export, a restart in between, pictures of every step.

Skipped only where there is no Chromium. The pictures are in ``out/annotate-story``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotate_browser import NEEDS, Annotator
from annotate_server import demo_clip, start_server

pytestmark = NEEDS


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("story") / "project"


def test_the_whole_story(browser: Any, project: Path):
    server = start_server([demo_clip(), "--project", project, "--device", "cpu"])
    me = Annotator(browser, server)
    try:
        first_look(me)
        prompts(me)
        tracking(me)
        correcting(me)
        checking(me)
        exporting(me)
        assert not me.errors
        assert all(url.startswith((server.origin, "blob:")) for url in me.asked), "offline"
    finally:
        me.context.close()
        code = server.stop()
    assert code == 143
    server = start_server(["--project", project, "--device", "cpu"])
    try:
        after_a_restart(Annotator(browser, server))
    finally:
        server.stop()


def first_look(me: Annotator) -> None:
    me.page.wait_for_selector("#tour[open]")
    me.picture("01-tour")
    for _ in range(5):
        me.page.click("#tour-next")
    assert me.page.locator("#tour").is_hidden()
    assert me.page.locator("#no-objects").is_visible()
    wide = me.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wide, "nothing is cut off at 1280 x 720"
    me.until(lambda: me.get(f"videos/{me.video}")["indexed"], "the index")
    me.until(lambda: me.get("project")["model"]["loaded"], "the model")
    me.picture("02-empty")
    me.press("f", "f", "d")
    me.until(lambda: "frame 1 of 150" in me.page.inner_text("#position"), "frame 1")
    me.press("Space")
    me.until(lambda: "frame 1 " not in me.page.inner_text("#position"), "it plays")
    me.press("Space", "Home")
    me.until(lambda: "frame 0 of" in me.page.inner_text("#position"), "frame 0")


def prompts(me: Annotator) -> None:
    me.click(197, 200)
    me.until(lambda: me.masks(0).get("1"), "the mask of a click")
    me.click(90, 345, button="right")
    me.until(lambda: len(me.session["objects"][0]["given"]["0"]["clicks"]) == 2, "two clicks")
    me.page.keyboard.down("Shift")
    me.click(180, 305)
    me.page.keyboard.up("Shift")
    clicks = me.until(
        lambda: len(c := me.session["objects"][0]["given"]["0"]["clicks"]) == 3 and c, "three"
    )
    assert [label for _, _, label in clicks] == [1, 0, 0]
    me.press("r")
    me.page.keyboard.type("bipolar forceps")
    me.press("Enter")
    me.until(lambda: me.session["objects"][0]["name"] == "bipolar forceps", "the name")
    me.picture("03-clicks")
    me.press("n", "b")
    me.drag((250, 345), (350, 470))
    me.until(lambda: me.masks(0).get("2"), "the mask of a box")
    before = me.masks(0)["2"]["rle"]
    me.press("w")
    me.drag((400, 60), (440, 80), (430, 110))
    painted = me.until(lambda: (m := me.masks(0)["2"])["rle"] != before and m, "the brush")
    me.press("e")
    me.drag((400, 60), (440, 80), (430, 110))
    me.until(lambda: me.masks(0)["2"]["rle"] != painted["rle"], "the eraser")
    me.picture("04-box-and-brush")
    drawn = me.session["revision"]
    me.press("o")
    for corner in ((480, 60), (540, 60), (540, 110)):
        me.click(*corner)
    me.press("Enter")
    me.until(lambda: me.session["revision"] > drawn and me.saved(), "the polygon")
    me.press("Control+z", "Control+z", "Control+z")
    me.until(lambda: me.masks(0)["2"]["rle"] == before, "undone to the box")
    me.press("Control+y")
    me.until(lambda: me.masks(0)["2"]["rle"] == painted["rle"], "redone to the brush")
    me.press("Control+z")
    me.until(lambda: me.masks(0)["2"]["rle"] == before, "undone again")
    keyboard_only(me)


def keyboard_only(me: Annotator) -> None:
    """A third object without a mouse."""
    me.press("n", "c", "Alt+ArrowRight", "Alt+ArrowDown", "i")
    given = me.until(lambda: len(o := me.session["objects"]) == 3 and o[2]["given"], "by keyboard")
    assert given["0"]["clicks"] == [[328.0, 248.0, 1]]
    me.press("Shift+Delete", "Escape")
    me.until(lambda: len(me.session["objects"]) == 2, "removed")
    me.until(lambda: me.page.locator("#objects li").count() == 2, "and the page has drawn that")


def tracking(me: Annotator) -> None:
    me.press("1")
    me.page.check("input[value=frames]", force=True)
    me.page.fill("input[name=frames]", "24")
    me.page.keyboard.press("Escape")
    me.press("t")
    me.until(lambda: me.session["runs"], "a run")
    me.until(lambda: me.session["runs"][-1]["visited"] > 2, "masks come in")
    me.press_slowly("#runs button:has-text('Pause')")
    me.until(lambda: me.session["runs"][-1]["state"] == "paused", "paused")
    me.picture("05-paused")
    held = me.session["runs"][-1]["visited"]
    me.page.wait_for_timeout(700)
    assert me.session["runs"][-1]["visited"] <= held + 1
    me.press("p")
    run = me.tracked()
    assert (run["state"], run["frames"], run["objects"]) == ("done", [0, 24], [1, 2])
    assert {"1", "2"} == set(me.masks(20))
    me.press("Enter")
    me.until(lambda: me.session["runs"][-1]["accepted"], "accepted")
    me.go_to("12")
    me.picture("06-tracked")


def correcting(me: Annotator) -> None:
    me.press("2", "l")
    me.until(lambda: me.session["objects"][1]["locked"] == [[12, 12]], "locked")
    locked = me.masks(12)["2"]["rle"]
    me.go_to("8")
    me.press("2", "c")
    old = {frame: me.masks(frame)["2"] for frame in (4, 8, 11, 12, 20)}
    me.click(330, 440)
    me.until(lambda: "8" in me.session["objects"][1]["given"], "the correction")
    me.page.check("input[value=chosen]", force=True)
    me.page.check("input[value=end]", force=True)
    me.press("t")
    me.until(lambda: len(me.session["runs"]) == 2, "the second run")
    run = me.tracked()
    assert run["frames"] == [8, 11], "only up to the lock"
    assert run["objects"] == [2]
    assert me.masks(12)["2"]["rle"] == locked
    assert [me.masks(frame)["2"] for frame in (4, 12, 20)] == [old[f] for f in (4, 12, 20)]
    assert me.masks(11)["2"]["before"]["rle"] == old[11]["rle"]
    me.go_to("11")
    me.press("x")
    me.page.wait_for_timeout(300)
    me.picture("07-compare")
    me.press("x", "Backspace")
    me.until(lambda: me.session["runs"][-1]["accepted"] is False, "discarded")
    assert me.masks(11)["2"]["rle"] == old[11]["rle"]
    me.press("Control+z")
    me.until(lambda: me.session["runs"][-1]["accepted"] is None, "not discarded after all")


def checking(me: Annotator) -> None:
    me.page.focus("#objects li:nth-child(1) .object")
    me.press("Enter")
    chosen = "#objects li:nth-child(1) .object[aria-pressed=true]:focus"
    me.until(lambda: me.page.locator(chosen).count() == 1, "chosen by keyboard, the focus stays")
    me.go_to("20")
    me.press("[")
    me.go_to("24")
    me.press("]", "a")
    me.until(lambda: me.session["objects"][0]["absent"] == [[20, 24]], "absent")
    assert me.masks(22)["1"]["rle"] is None
    me.press("Escape")
    me.go_to("23")
    me.press("q")
    me.until(lambda: me.session["out_of_body"] == [[23, 23]], "out of body")
    me.picture("08-out-of-body")
    me.press("Home", "u", "j")
    me.press("?")
    me.page.wait_for_selector("#help[open]")
    me.picture("09-keys")
    me.press("Escape")
    second = Annotator.__new__(Annotator)
    second.__dict__.update(me.__dict__)
    second.page = me.context.new_page()
    second.page.goto(me.server.origin)
    second.page.wait_for_selector("body[data-ready]")
    second.press("n")
    second.click(560, 330)
    second.until(lambda: len(me.session["objects"]) == 3, "an object from the second tab")
    me.until(lambda: me.page.locator("#objects li").count() == 3, "the first tab hears of it")
    second.page.close()
    me.press("Control+z")
    me.until(lambda: len(me.session["objects"]) == 2, "undone from the first tab")
    me.until(lambda: me.page.locator("#objects li").count() == 2, "and shown there")


def exporting(me: Annotator) -> None:
    me.press("Control+e")
    me.page.wait_for_selector("#export[open]")
    me.page.wait_for_selector("#export-objects input")
    me.page.select_option("#export-format", "coco")
    me.page.click("#export-form button[type=submit]")
    said = me.until(
        lambda: (t := me.page.inner_text("#export-said")) and "Writing" not in t and t, "exported"
    )
    assert "frames written to" in said, said
    link = me.page.locator("#export-said a")
    me.picture("10-export")
    with me.page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.endswith(".zip")
    me.press("Escape")
    me.page.click("[data-open=finetune]")
    me.page.click("#finetune-form button[type=submit]")
    command = me.until(lambda: me.page.inner_text("#finetune-command"), "the command")
    assert " train finetune --data " in command
    me.picture("11-finetune")
    me.press("Escape")


def after_a_restart(me: Annotator) -> None:
    me.skip_tour()
    names = [one["name"] for one in me.session["objects"]]
    assert names == ["bipolar forceps", None]
    assert me.session["redo"] is not None, "what was undone before can be redone"
    assert "1" in me.masks(10)
    me.press("Control+y")
    me.until(lambda: len(me.session["objects"]) == 3, "redone after a restart")
    me.go_to("10")
    me.press("1")
    me.page.wait_for_timeout(300)
    me.picture("12-restarted")
    larger(me)
    without_a_server(me)
    assert not me.errors


def without_a_server(me: Annotator) -> None:
    """What was not answered is not called saved."""
    me.server.process.kill()
    me.server.process.wait()
    me.press("l")
    me.until(lambda: me.page.inner_text("#saved") == "Not saved", "not saved")
    assert "does not answer" in me.page.inner_text("#messages")


def larger(me: Annotator) -> None:
    """At 125 % everything is still there and inside the window."""
    me.page.set_viewport_size({"width": 1024, "height": 576})  # what 1280 x 720 is at 125 %
    me.page.wait_for_timeout(300)
    me.picture("13-at-125-percent")
    outside = me.page.evaluate(
        """() => [...document.querySelectorAll('header button, footer button, #tools button')]
            .filter((one) => { const b = one.getBoundingClientRect();
                return b.right > innerWidth + 1 || b.bottom > innerHeight + 1 || b.left < 0; })
            .map((one) => one.textContent)"""
    )
    assert outside == []
    me.press("?")
    assert me.page.evaluate("document.querySelector('#help').scrollTop") == 0, "from its beginning"
    me.press("Escape")
