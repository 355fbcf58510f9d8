"""Is anything lost when the annotation server is killed? python scripts/annotate_kill.py [--moments
50] [--seed 0] [--longest 6]

Again and again: start `sam2s annotate` on the packaged clip, click, name, lock, undo and track as
fast as the server answers, and kill it (SIGKILL) at a random moment. After each kill the database
must be sound, every acknowledged action must be there in its order, and the next start must go on
with tracking. Prints one line a moment and exits with 1 at the first loss.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from sqlalchemy import text

import sam2s
from sam2s.annotate.database import open_database
from sam2s.annotate.project import DATABASE
from sam2s.annotate.session_log import load_session

CLIP = Path(sam2s.__file__).parent / "commands" / "demo_clip" / "scene.mp4"
FRAMES = 150
KINDS = ("click", "click", "name", "lock", "unlock", "undo", "redo", "run")
OPTIONS = ("--no-browser", "--device", "cpu")
GONE = (urllib.error.URLError, ConnectionError, http.client.HTTPException, TimeoutError)


class Client:
    """A page without a browser. ``acknowledged``: {action number: done} as the server said last."""

    def __init__(self, address: str, random_source: random.Random) -> None:
        self.origin = address.partition("/?")[0]
        self.random = random_source
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._open = urllib.request.build_opener(cookies).open
        self._open(address, timeout=60).read()
        self.video = self.get("/api/project")["videos"][0]["id"]
        self.acknowledged: dict[int, bool] = {}
        self.unanswered: str | None = None

    def stream(self, path: str) -> Any:
        """An answer that is still being sent."""
        return self._open(f"{self.origin}{path}", timeout=60)

    def read(self, path: str) -> bytes:
        """A GET request's answer as it is."""
        with self.stream(path) as answer:
            return bytes(answer.read())

    def get(self, path: str) -> Any:
        """A GET request's answer."""
        return json.loads(self.read(path))

    def new_address(self) -> str:
        """A one-time address for a browser."""
        request = urllib.request.Request(f"{self.origin}/api/links", b"")
        return str(json.loads(self._open(request, timeout=60).read())["address"])

    def wait_for_model(self) -> None:
        """Until clicks are answered."""
        while not self.get("/api/project")["model"]["loaded"]:
            time.sleep(0.1)

    def post(self, path: str, content: dict[str, Any]) -> Any:
        """A POST request's answer; None where it was refused."""
        body = json.dumps(content).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(
            f"{self.origin}/api/videos/{self.video}/{path}", body, headers
        )
        try:
            return json.loads(self._open(request, timeout=60).read())
        except urllib.error.HTTPError as refused:
            refused.read()
            return None

    def work(self) -> None:
        """Annotate until the server is gone."""
        try:
            while True:
                self._one()
        except GONE:
            return

    def _one(self) -> None:
        what = self.random.choice(KINDS)
        thing, frame = self.random.randint(1, 3), self.random.randrange(FRAMES)
        self.unanswered = what
        if what in ("undo", "redo"):
            answer = self.post(what, {})
            if answer is not None:
                self.acknowledged[answer["number"]] = what == "redo"
        elif what == "run":
            answer = self.post("runs", {"objects": [thing], "frame": frame, "direction": "both"})
            if answer is not None:
                self.acknowledged[answer["version"]] = True
        else:
            answer = self.post("actions", {"action": self._action(what, thing, frame)})
            if answer is not None:
                self.acknowledged[answer["number"]] = True
                if what == "click":
                    self.post("preview", {"object": thing, "frame": frame})
        self.unanswered = None

    def _action(self, what: str, thing: int, frame: int) -> dict[str, Any]:
        fields: dict[str, Any] = {"action": what, "object": thing}
        if what == "click":
            x, y = self.random.uniform(0, 640), self.random.uniform(0, 480)
            return {**fields, "frame": frame, "x": x, "y": y}
        if what == "name":
            return {**fields, "name": f"name {self.random.randrange(99)}"}
        return {**fields, "frame": frame, "to": min(FRAMES - 1, frame + 3)}


def main() -> int:
    """Kill as often as was asked for; the exit code."""
    given = _arguments()
    source = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        known: dict[int, bool] = {}
        for moment in range(given.moments):
            address, process = start_server(project, str(CLIP), *OPTIONS)
            client = Client(address, source)
            client.acknowledged.update(known)
            worker = threading.Thread(target=client.work)
            worker.start()
            if moment % 2:  # else it may hit the start, when the model is still being loaded
                client.wait_for_model()
            time.sleep(source.uniform(0.0, given.longest))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            worker.join()
            lost = _lost(project, client)
            if lost:
                print(f"moment {moment + 1}: LOST: {lost}")
                return 1
            known = _state(project, client.video)
            said = f"{len(known)} actions, {sum(known.values())} in force: all there"
            print(f"moment {moment + 1}: {said}", flush=True)
        print(_goes_on(project))
    return 0


def start_server(project: Path, *arguments: str) -> tuple[str, subprocess.Popen[str]]:
    """The page's address and its process, as soon as it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sam2s", "annotate", *arguments, "--project", str(project)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            return found[0], process
    raise SystemExit(f"the server did not start (exit code {process.wait()})")


def _state(project: Path, video: str) -> dict[int, bool]:
    """{action number: whether it is in force}, dropped ones included, as a new start reads it."""
    engine = open_database(project / DATABASE)
    with engine.connect() as connection:
        sound = connection.scalar(text("PRAGMA integrity_check"))
        assert sound == "ok", sound
        load_session(connection, video)
        query = text("SELECT number, state FROM actions WHERE video = :video")
        found = {n: state == "done" for n, state in connection.execute(query, {"video": video})}
    engine.dispose()
    return found


def _lost(project: Path, client: Client) -> str | None:
    """What was acknowledged and is not there. The one request that got no answer may have been done
    or not: an undo of it, or a redo, is no loss."""
    there = _state(project, client.video)
    missing = [number for number in client.acknowledged if number not in there]
    if missing:
        return f"actions {missing}"
    other = [n for n, done in client.acknowledged.items() if there[n] != done]
    allowed = 1 if client.unanswered in ("undo", "redo") else 0
    return f"the state of actions {other}" if len(other) > allowed else None


def _goes_on(project: Path) -> str:
    """Track once more, to the end."""
    address, process = start_server(project, str(CLIP), *OPTIONS)
    client = Client(address, random.Random(1))
    objects = client.get(f"/api/videos/{client.video}/session")["objects"]
    number = 1 + max((one["id"] for one in objects), default=0)
    click = {"action": "click", "object": number, "frame": 0, "x": 320.0, "y": 240.0}
    assert client.post("actions", {"action": click}) is not None
    while (run := client.post("runs", {"objects": [number], "frame": 0, "length": 5})) is None:
        time.sleep(0.2)  # the video may still be read for the first time
    while True:
        runs = client.get(f"/api/videos/{client.video}/session")["runs"]
        state = next(one["state"] for one in runs if one["version"] == run["version"])
        if state not in ("queued", "running"):
            break
        time.sleep(0.2)
    process.terminate()
    process.wait()
    return f"tracking goes on: {state}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=6.0, help="seconds until a kill")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
