"""Someone before the annotation page, in a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate_server import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    # Playwright's own loop and sockets are closed by its driver, later than pytest looks.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PICTURES = Path(__file__).parents[1] / "out" / "annotate-story"
SIZE = {"width": 1280, "height": 720}
PATIENCE = 60.0


class Annotator:
    """Someone before the page, who looks at the server's answers as well."""

    def __init__(
        self,
        browser: Any,
        server: Running,
        prepare: Callable[[Any], None] = lambda page: None,
        **context: Any,
    ) -> None:
        self.context = browser.new_context(viewport=SIZE, **context)
        self.page = self.context.new_page()
        self.server = server
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        prepare(self.page)
        self.page.goto(server.address)
        self.page.wait_for_selector("body[data-ready]")

    def skip_tour(self) -> None:
        self.page.wait_for_selector("#tour[open]")
        self.page.click("#tour .close")

    def get(self, path: str) -> Any:
        answer = self.page.request.get(f"{self.server.origin}/api/{path}")
        assert answer.ok, answer.text()
        return answer.json()

    @property
    def video(self) -> str:
        return self.get("project")["videos"][0]["id"]

    @property
    def session(self) -> Any:
        return self.get(f"videos/{self.video}/session")

    def masks(self, frame: int) -> Any:
        return self.get(f"videos/{self.video}/frames/{frame}/masks")["masks"]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A pixel of the video (640 x 480, the whole of it shown) on the screen."""
        box = self.page.locator("#stage").bounding_box()
        scale = min(box["width"] / 640, box["height"] / 480)
        left = box["x"] + (box["width"] - 640 * scale) / 2
        return left + x * scale, box["y"] + (box["height"] - 480 * scale) / 2 + y * scale

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.page.mouse.click(*self.at(x, y), button=button)

    def press_slowly(self, selector: str) -> None:
        """Press the mouse on something, as slowly as people do, while the page goes on."""
        self.page.hover(selector)
        self.page.mouse.down()
        self.page.wait_for_timeout(300)
        self.page.mouse.up()

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go_to(self, where: str) -> None:
        self.press("g")
        self.page.fill("#go-to-text", where)
        self.press("Enter")
        self.page.wait_for_selector("#go-to", state="hidden")
        self.until(lambda: f"frame {where} of" in self.page.inner_text("#position"), where)

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = holds()
            if found:
                return found
            self.page.wait_for_timeout(30)
        raise AssertionError(f"never: {what}")

    def saved(self) -> bool:
        return self.page.inner_text("#saved") == "Saved"

    def tracked(self) -> Any:
        """Wait for the newest run to end; the run."""
        over = ("done", "cancelled", "broken", "interrupted")

        def newest() -> Any:
            runs = self.session["runs"]
            return runs[-1] if runs and runs[-1]["state"] in over else None

        return self.until(newest, "the run ends")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")
