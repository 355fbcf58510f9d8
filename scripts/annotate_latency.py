"""How long after a click is its mask on the screen? python scripts/annotate_latency.py [VIDEO]
[--clicks 30] [--model nano]

A real server and Chromium, one thread each for the model and torch. Each click is on a frame that
was not clicked on before: ``looked at`` after a second on the frame, as by someone who looks first,
``at once`` as soon as the frame is shown, ``again`` the second click on the same frame. Prints from
the press of the button to the drawn mask, how much of it the two requests took, and the processor
time of the server for each click: minimum, median and maximum.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from annotate_kill import CLIP, Client, start_server
from annotate_long import open_chromium, open_page

WATCH = """
localStorage.setItem("sam2s-tour-seen", "yes");
window.times = { pressed: 0, drawn: 0 };
let last = null;
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (what, ...rest) {
  draw.call(this, what, ...rest);
  if (what instanceof OffscreenCanvas && what !== last) {
    last = what;
    window.times.drawn = performance.now();
  }
};
addEventListener("pointerdown", () => (window.times.pressed = performance.now()), true);
"""
"""Notes when a canvas of masks is drawn that was not drawn before."""
CALM = 400
"""Milliseconds without a new drawing after which the mask is taken to be there."""


def main() -> None:
    """Click, and print."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        options = ("--no-browser", "--device", "cpu", "--model", given.model)
        address, process = start_server(project, str(given.video), *options)
        try:
            client = Client(address, random.Random(0))
            client.wait_for_model()
            with open_chromium() as browser:
                page = open_page(browser, client, WATCH)
                facts = client.get(f"/api/videos/{client.video}")
                _measure(page, facts, given.clicks, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, its cores: {os.cpu_count()}")


def _measure(page: Any, facts: dict[str, Any], clicks: int, server: psutil.Process) -> None:
    frames = random.Random(1).sample(range(facts["frames"]), 2 * clicks)
    spot = random.Random(2)
    _click(page, facts, spot, server)  # whatever happens only once
    found: dict[str, list[dict[str, float]]] = {"looked at": [], "at once": [], "again": []}
    for k, frame in enumerate(frames):
        page.keyboard.press("g")
        page.fill("#go-to-text", str(frame))
        page.keyboard.press("Enter")
        page.wait_for_function(
            "frame => document.querySelector('#position').textContent.startsWith(frame)",
            arg=f"frame {frame} of",
        )
        if k % 2:
            page.wait_for_timeout(1000)
        found["looked at" if k % 2 else "at once"].append(_click(page, facts, spot, server))
        if k % 2:
            found["again"].append(_click(page, facts, spot, server))
    for kind, clicks_of in found.items():
        for what in clicks_of[0]:
            values = [one[what] for one in clicks_of]
            print(
                f"{kind}: {what}: shortest {min(values):.3f} s, median"
                f" {statistics.median(values):.3f} s, longest {max(values):.3f} s"
            )


def _click(
    page: Any, facts: dict[str, Any], spot: random.Random, server: psutil.Process
) -> dict[str, float]:
    """Seconds of one click."""
    box = page.locator("#stage").bounding_box()
    scale = min(box["width"] / facts["width"], box["height"] / facts["height"])
    across = (box["width"] - facts["width"] * scale) / 2 + scale * facts["width"] * spot.random()
    down = (box["height"] - facts["height"] * scale) / 2 + scale * facts["height"] * spot.random()
    page.evaluate("performance.clearResourceTimings(); times.drawn = 0")
    before = server.cpu_times()
    page.mouse.click(box["x"] + across, box["y"] + down)
    page.wait_for_function(
        """calm => times.drawn > times.pressed && performance.now() - times.drawn > calm
            && document.querySelector('#saved').textContent === 'Saved'""",
        arg=CALM,
    )
    after = server.cpu_times()
    took = page.evaluate(
        """() => [times.drawn - times.pressed, ...["actions", "preview"].map((end) =>
            performance.getEntriesByType("resource").filter((one) => one.name.endsWith(end))
                .reduce((sum, one) => sum + one.duration, 0))]"""
    )
    names = ("to the drawn mask", "of it writing the click", "of it the mask")
    used = after.user + after.system - before.user - before.system
    return {**{n: t / 1000 for n, t in zip(names, took, strict=True)}, "server's processor": used}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?", default=CLIP)
    parser.add_argument("--clicks", type=int, default=30)
    parser.add_argument("--model", default="nano")
    return parser.parse_args()


if __name__ == "__main__":
    main()
