"""What the server works on: a project, its opened videos, the model, the queue. Knows no web."""

from __future__ import annotations

from threading import Lock

from sam2s.annotate.events import EventBus
from sam2s.annotate.frame_cache import FrameCache
from sam2s.annotate.frame_reader import FrameReader
from sam2s.annotate.model_room import ModelChoice, ModelRoom
from sam2s.annotate.previews import Previewer
from sam2s.annotate.project import Project
from sam2s.annotate.run_plan import RunRequest, frames_of, rest_of, steps_of
from sam2s.annotate.run_table import RunRecord
from sam2s.annotate.tracking_queue import TrackingQueue
from sam2s.annotate.video_room import VideoRoom
from sam2s.errors import InputError
from sam2s.tracking.session.actions import Propagate


class Workspace:
    """One project being worked on. Safe to use from several threads; ``close`` at the end."""

    def __init__(self, project: Project, choice: ModelChoice) -> None:
        self.project = project
        self.bus = EventBus()
        self.models = ModelRoom(choice, self._model_ready)
        self.previewer = Previewer(self.models)
        self.queue = TrackingQueue(self.models, self.bus)
        self.frames = FrameCache()
        self.pictures = FrameReader(None)
        self._rooms: dict[str, VideoRoom] = {}
        self._lock = Lock()

    def room(self, video_id: str) -> VideoRoom:
        """The opened video; ``InputError`` when it is not in the project or cannot be opened."""
        with self._lock:
            if video_id not in self._rooms:
                video = self.project.video(video_id)
                if video.trouble is not None:
                    raise InputError(video.trouble)
                room = VideoRoom(self.project.engine, video_id, video.path, self.bus)
                room.runs.close_unfinished()
                room.index_in_background()
                self._rooms[video_id] = room
            return self._rooms[video_id]

    def jpeg(self, video_id: str, frame: int, side: int | None) -> bytes:
        """A frame as a JPEG (see ``FrameReader.jpeg``), from memory where it was asked for of
        late."""
        room = self.room(video_id)
        return self.frames.get((video_id, frame, side), lambda: room.reader.jpeg(frame, side))

    def look(self, video_id: str, frame: int) -> None:
        """Be ready for clicks on a frame, which someone looks at; not while a run needs the
        device."""
        if not self.queue.is_busy:
            room = self.room(video_id)
            self.previewer.look((video_id, frame), lambda: room.reader.frame(frame))

    def track(self, video_id: str, request: RunRequest) -> RunRecord:
        """Queue a run; it is an action of the session, so it can be undone."""
        room = self.room(video_id)
        if not room.facts.indexed:
            raise InputError("the video is still being read for the first time; wait a moment")
        passes = request.passes(room.session.history.notes, room.facts.count)
        entry = room.log.do(Propagate(request.object_ids, frames_of(passes)))
        record = RunRecord(entry.number, "track", "queued", passes, 0, steps_of(passes))
        self.queue.add(room, record)
        return record

    def go_on(self, video_id: str, version: int) -> RunRecord:
        """Queue what is left of a run that was broken off or cancelled."""
        room = self.room(video_id)
        record = room.runs.find(version)
        if record is None or version not in room.session.history.in_force:
            raise InputError(f"run {version}: there is none of that number, or it was undone")
        if record.state in ("queued", "running", "paused", "done"):
            raise InputError(f"run {version}: is {record.state}")
        rest = rest_of(record.passes, version, room.masks)
        if not rest:
            raise InputError(f"run {version}: nothing is left to track")
        left = steps_of(rest)
        again = RunRecord(version, "track", "queued", rest, record.visited, record.visited + left)
        self.queue.add(room, again)
        return again

    def close(self) -> None:
        """Stop what is under way; what was found is kept, and the project is free for others."""
        self.queue.close()
        self.bus.close()
        self.pictures.close()
        for room in self._rooms.values():
            room.close()
        self.project.close()

    def _model_ready(self) -> None:
        self.bus.tell("model", state=self.models.state)
