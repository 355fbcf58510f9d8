"""Everything about one opened video: its readers, its session, its masks, its runs."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

from sqlalchemy import Engine, select

from sam2s.annotate.database import writing
from sam2s.annotate.events import EventBus
from sam2s.annotate.frame_index import unpack
from sam2s.annotate.frame_reader import FrameReader
from sam2s.annotate.project_schema import INDEXES
from sam2s.annotate.run_table import RunTable
from sam2s.annotate.session_log import Session, SessionLog
from sam2s.annotate.stored_masks import StoredMasks
from sam2s.errors import InputError, Sam2sError
from sam2s.tracking.session.propagate import Known


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is known of a video. ``count``: its frames, exact once ``indexed``; ``fps`` None where
    it has no clock; ``damage``: why frames behind the last one cannot be read."""

    height: int
    width: int
    fps: float | None
    count: int
    indexed: bool
    notes: tuple[str, ...] = ()
    damage: str | None = None


class VideoRoom:
    """One video of a project. Frames that a page asks for come from one decoder process, the index
    from another, and each tracking run has its own (``new_reader``)."""

    def __init__(self, engine: Engine, video: str, path: Path, bus: EventBus) -> None:
        self.id, self.path = video, path
        self._engine, self._bus = engine, bus
        self._index = _stored_index(engine, video)
        self.reader = FrameReader(path, self._index)
        about = self.reader.about()
        self.facts = VideoFacts(
            about["height"],
            about["width"],
            about["fps"],
            about["count"] or 1,
            bool(about["indexed"]),
            tuple(about["notes"]),
        )
        self.times: tuple[float | None, ...] = ()
        self.index_error: str | None = None
        if self._index is not None:
            known = unpack(self._index)
            self.times, self.facts = known.times, replace(self.facts, damage=known.damage)
        self.masks = StoredMasks(engine, video, (self.facts.height, self.facts.width))
        self.runs = RunTable(engine, video)
        self.log = SessionLog(engine, video, self._tell)

    @property
    def session(self) -> Session:
        """The session as it is now."""
        return self.log.session

    @property
    def known(self) -> Known:
        """The log and the masks that it shows, as they are now."""
        return Known(self.session.history, self.masks)

    def frame_at(self, seconds: float) -> int:
        """The frame that is shown at a time of the video's clock; before there is an index, by its
        mean rate. ``InputError`` where there is no clock, and for times outside the video."""
        times = [time for time in self.times if time is not None]
        if len(times) < len(self.times) or (not times and self.facts.fps is None):
            raise InputError("the video has no clock; go to a frame by its number")
        last = times[-1] if times else self.facts.count / (self.facts.fps or 1.0)
        if not seconds <= last + 1.0:
            raise InputError(f"time {seconds:g} s: the video ends at {last:.2f} s")
        if not times:
            return min(self.facts.count - 1, round(seconds * (self.facts.fps or 1.0)))
        return max(0, bisect_right(times, seconds) - 1)

    def new_reader(self) -> FrameReader:
        """A decoder process of its own, for who reads the video from one end to the other."""
        return FrameReader(self.path, self._index)

    def index_in_background(self) -> None:
        """Make the index where there is none; pages hear how far it is."""
        if self._index is None:
            Thread(target=self._make_index, daemon=True, name="index").start()

    def close(self) -> None:
        """End the decoder process."""
        self.reader.close()

    def _make_index(self) -> None:
        def told(done: int) -> None:
            self._bus.tell("index", video=self.id, done=done, of=self.facts.count)

        maker = FrameReader(self.path)
        try:
            index = maker.make_index(told)
            with writing(self._engine) as connection:
                connection.execute(INDEXES.insert().values(video=self.id, places=index))
            self._use(index)
        except Sam2sError as error:
            self.index_error = str(error)
        finally:
            maker.close()
        self._bus.tell("indexed", video=self.id, error=self.index_error)

    def _use(self, index: bytes) -> None:
        """Frames far into the video are a seek from now on."""
        known = unpack(index)
        self._index, self.times = index, known.times
        self.reader.adopt(index)
        self.facts = replace(self.facts, count=len(known.times), indexed=True, damage=known.damage)

    def _tell(self, session: Session) -> None:
        self._bus.tell("session", video=self.id, revision=session.revision)


def _stored_index(engine: Engine, video: str) -> bytes | None:
    with engine.connect() as connection:
        found = select(INDEXES.c.places).where(INDEXES.c.video == video)
        return connection.scalar(found)
