"""Everything a run leaves behind: whole, partial after a break, and nothing after an error."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from footage import FAST, Clip, number_of, numbered, packets
from sam2s.errors import DamagedSource, InputError
from sam2s.export import writer as writer_module
from sam2s.export.tracks import Breakage, TrackedSource, TracksWriter, read_tracks
from sam2s.export.video_file import VideoWriter
from sam2s.export.writer import Output, ResultWriter, folder_name
from sam2s.masklets.annotations import open_annotations
from sam2s.media.frames import FrameSource, open_frames
from sam2s.types import Frame, FrameResult

RUN = {"model": "nano", "memory": "diverse"}


def look(frame: Frame) -> FrameResult:
    """A made-up result: object 1 wanders, object 2 is absent on odd frames."""
    one, two = np.zeros(frame.size, bool), np.zeros(frame.size, bool)
    one[20:40, frame.index : frame.index + 20] = True
    two[30:60, 15:45] = frame.index % 2 == 0
    return FrameResult(
        frame.index, frame.time, {1: one, 2: two}, {1: 0.9, 2: 0.3}, {1: 0.8, 2: 0.1}
    )


def run(
    source: FrameSource, output: Output, then: Callable[[int], None] = lambda index: None
) -> ResultWriter:
    with source, ResultWriter(output, source, RUN) as writer:
        for frame in source:
            then(frame.index)
            writer.write(frame, look(frame))
    return writer


def video(folder: Path, **changes: object) -> Path:
    return Clip(".mp4", count=12, options={"bf": "0"}, muxer=FAST, **changes).write(folder, "op 1")


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def fail_at(index: int, error: BaseException) -> Callable[[int], None]:
    def then(now: int) -> None:
        if now == index:
            raise error

    return then


@pytest.mark.parametrize("kind", ["sav", "davis"])
def test_a_whole_run(kind: str, tmp_path: Path):
    out = tmp_path / "new" / "out"
    overlay = tmp_path / "shown" / "overlay.mp4"
    writer = run(open_frames(video(tmp_path)), Output(out, kind, overlay))
    names = [f"{i:05d}.png" for i in range(12)]
    folders = ["001/", "002/"] if kind == "sav" else [""]
    assert everything(out) == {f"Annotations/op_1/{f}{n}" for f in folders for n in names} | {
        "tracks.json"
    }
    assert (writer.frames, writer.video) == (12, "op_1")
    assert (writer.masks_folder, writer.tracks_file) == (
        out / "Annotations" / "op_1",
        out / "tracks.json",
    )

    masks, tracks = open_annotations(writer.masks_folder), read_tracks(writer.tracks_file)
    assert (tracks.source.name, tracks.source.width, tracks.source.height, tracks.source.fps) == (
        "op 1.mp4",
        96,
        64,
        25,
    )
    assert (tracks.run, tracks.complete) == (RUN, True)
    with open_frames(tmp_path / "op 1.mp4") as source:
        for frame, seen in zip(source, tracks.frames, strict=True):
            expected = look(frame)
            assert (seen.index, seen.time) == (frame.index, frame.time)
            for i in (1, 2):
                assert np.array_equal(seen.objects[i].mask, expected.masks[i])
            assert np.array_equal(masks.read(2, f"{frame.index:05d}"), expected.masks[2])

    with open_frames(overlay) as source:
        shown = list(source)
    assert [number_of(frame.image) for frame in shown[::2]] == list(
        range(0, 12, 2)
    )  # else "absent" covers it
    assert [frame.time for frame in shown] == pytest.approx(
        [frame.time for frame in tracks.frames], abs=1e-4
    )
    assert everything(tmp_path / "shown") == {"overlay.mp4"}
    assert bool(writer.notes) == (kind == "davis")


def test_a_name_that_is_not_unicode(tmp_path: Path):
    path = video(tmp_path).rename(tmp_path / "op\udcff.mp4")
    run(open_frames(path), Output(tmp_path / "out"))
    assert read_tracks(tmp_path / "out" / "tracks.json").source.name == "op\udcff.mp4"


def test_no_path_of_this_machine_is_written(tmp_path: Path):
    run(open_frames(video(tmp_path)), Output(tmp_path / "out", overlay=tmp_path / "out" / "o.mp4"))
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()


def test_names_follow_the_pictures_of_a_folder(tmp_path: Path):
    (tmp_path / "case.7").mkdir()
    for name in ["a2", "a10"]:
        Image.fromarray(numbered(0)).save(tmp_path / "case.7" / f"{name}.png")
    run(open_frames(tmp_path / "case.7"), Output(tmp_path / "out"))
    assert {name for name in everything(tmp_path / "out") if "001" in name} == {
        "Annotations/case.7/001/a2.png",
        "Annotations/case.7/001/a10.png",
    }


def test_a_damaged_video_keeps_its_good_frames(tmp_path: Path):
    path = video(tmp_path)
    path.write_bytes(path.read_bytes()[: packets(path)[7][0] + 5])
    out = tmp_path / "out"
    with pytest.raises(DamagedSource) as caught:
        run(open_frames(path), Output(out, overlay=out / "overlay.mp4"))
    tracks = read_tracks(out / "tracks.json")
    assert len(tracks.frames) == 7
    assert not tracks.complete
    assert tracks.broke_at is not None
    assert (tracks.broke_at.index, tracks.broke_at.time) == (7, pytest.approx(0.28))
    assert tracks.broke_at.reason == str(caught.value)
    assert len(open_annotations(out / "Annotations" / "op_1").frames(1)) == 7
    with open_frames(out / "overlay.mp4") as source:
        assert len(list(source)) == 7
    assert not list(out.glob(".*"))


def test_an_interrupt_keeps_what_is_done(tmp_path: Path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(open_frames(video(tmp_path)), Output(out), fail_at(4, KeyboardInterrupt()))
    tracks = read_tracks(out / "tracks.json")
    assert len(tracks.frames) == 4
    assert tracks.broke_at is not None
    assert (tracks.broke_at.index, tracks.broke_at.reason) == (4, "interrupted")


@pytest.mark.parametrize("kind", ["sav", "davis"])
def test_an_interrupt_within_a_frame_takes_that_frame_back(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its masks are on disk already, its line in tracks.json is not."""
    drawn = []

    def draw(image: np.ndarray, result: FrameResult, names: object) -> np.ndarray:
        drawn.append(result.index)
        if result.index == 5:
            raise KeyboardInterrupt
        return image

    monkeypatch.setattr(writer_module, "draw_overlay", draw)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(open_frames(video(tmp_path)), Output(out, kind, tmp_path / "o.mp4"))
    assert drawn == [0, 1, 2, 3, 4, 5]
    assert len(read_tracks(out / "tracks.json").frames) == 5
    assert open_annotations(out / "Annotations" / "op_1").frames(1) == [
        f"{i:05d}" for i in range(5)
    ]


@pytest.mark.parametrize(
    "error", [InputError("prompt on frame 90: the source ends at 11"), RuntimeError("bug")]
)
def test_after_any_other_error_nothing_is_left(error: Exception, tmp_path: Path):
    path, out = video(tmp_path), tmp_path / "out"
    with pytest.raises(type(error)):
        run(open_frames(path), Output(out, overlay=tmp_path / "o.mp4"), fail_at(3, error))
    assert everything(tmp_path) == {path.name}
    assert not out.exists()


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), DamagedSource("broken at frame 0", 0, None)]
)
def test_a_break_before_the_first_frame_leaves_nothing(error: BaseException, tmp_path: Path):
    path = video(tmp_path)
    with pytest.raises(type(error)):
        run(
            open_frames(path),
            Output(tmp_path / "out", overlay=tmp_path / "o.mp4"),
            fail_at(0, error),
        )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_run_without_frames_leaves_nothing(tmp_path: Path):
    with (
        open_frames([numbered(0)]) as source,
        ResultWriter(Output(tmp_path / "out"), source, RUN) as writer,
    ):
        pass
    assert writer.frames == 0
    assert not (tmp_path / "out").exists()


def test_nothing_has_its_final_name_before_the_end(tmp_path: Path):
    out = tmp_path / "out"

    def then(index: int) -> None:
        if index == 11:
            assert not (out / "tracks.json").exists()
            assert not (out / "Annotations").exists()
            assert not (out / "overlay.mp4").exists()

    run(open_frames(video(tmp_path)), Output(out, overlay=out / "overlay.mp4"), then)
    assert (out / "overlay.mp4").exists()


def test_a_source_that_holds_nothing_leaves_nothing(tmp_path: Path):
    with pytest.raises(InputError, match="holds no frames"):
        run(open_frames(iter([])), Output(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_there_stays_when_a_run_fails(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeError):
        run(open_frames(video(tmp_path)), Output(out), fail_at(3, RuntimeError()))
    assert list(out.iterdir()) == []


# ---------------------------------------- what is there already


def test_another_run_on_the_same_source_moves_the_results_aside(tmp_path: Path):
    path, out = video(tmp_path), tmp_path / "out"
    run(open_frames(path), Output(out, "davis"))
    first = {name: (out / name).read_bytes() for name in everything(out)}
    with pytest.raises(RuntimeError):
        run(open_frames(path), Output(out), fail_at(3, RuntimeError()))
    assert (
        len(open_annotations(out / "Annotations" / "op_1").frames(1)) == 12
    )  # a failing run keeps the earlier one
    with pytest.raises(KeyboardInterrupt):
        run(open_frames(path), Output(out), fail_at(3, KeyboardInterrupt()))
    third = {f"Annotations/op_1/00{i}/0000{f}.png" for i in (1, 2) for f in range(3)} | {
        "tracks.json"
    }
    assert everything(out) == third | {f"earlier-1/{name}" for name in first}
    assert {name: (out / "earlier-1" / name).read_bytes() for name in first} == first
    run(open_frames(path), Output(out))
    assert len(read_tracks(out / "earlier-2" / "tracks.json").frames) == 3


def test_what_is_to_be_replaced_goes(tmp_path: Path):
    path, out = video(tmp_path), tmp_path / "out"
    run(open_frames(path), Output(out, "davis"))
    run(open_frames(path), Output(out, keep_earlier=False), fail_at(12, RuntimeError()))
    assert everything(out) == {
        f"Annotations/op_1/00{i}/000{f:02d}.png" for i in (1, 2) for f in range(12)
    } | {"tracks.json"}


def test_what_a_killed_run_left_is_kept_and_can_be_read(tmp_path: Path):
    path, out = video(tmp_path), tmp_path / "out"
    source = open_frames(path)
    killed = ResultWriter(Output(out), source, RUN)
    for frame in list(source)[:3]:
        killed.write(frame, look(frame))
    killed._lock.release(keep=True)  # the system does so when a process is killed
    killed._tracks.discard()
    writer = run(open_frames(path), Output(out))
    assert not list(out.glob(".*"))
    assert any("was moved to" in note for note in writer.notes)
    left = read_tracks(out / "broken-off-1" / "tracks.json")
    assert (len(left.frames), left.complete) == (3, False)
    assert left.broke_at == Breakage(3, None, "the run was killed")
    assert len(open_annotations(out / "broken-off-1" / "Annotations" / "op_1").frames(1)) == 3
    assert len(read_tracks(out / "tracks.json").frames) == 12


def test_two_runs_into_one_folder_at_the_same_time(tmp_path: Path):
    path, out = video(tmp_path), tmp_path / "out"
    with ResultWriter(Output(out), open_frames(path), RUN) as writer:
        with pytest.raises(InputError, match="another run is writing there"):
            run(open_frames(path), Output(out))
        for frame in open_frames(path):
            writer.write(frame, look(frame))
    assert len(read_tracks(out / "tracks.json").frames) == 12
    assert not list(out.glob(".*"))


class FullDisk:
    """A file that takes ``room`` bytes and no more, as a full disk does."""

    def __init__(self, file, room: int) -> None:
        self._file, self.room = file, room

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def write(self, content) -> int:
        fits = min(len(content), self.room - self._file.tell())
        if fits <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(content[:fits])


@pytest.mark.parametrize("room", range(700, 1500, 97))
def test_tracks_are_whole_however_little_room_there_is(tmp_path: Path, room: int):
    """The end that always stands behind the last line needs no more room than it had."""
    path = tmp_path / "tracks.json"
    writer = TracksWriter(path, TrackedSource("op.mp4", 96, 64, 25.0), RUN)
    writer._file = FullDisk(writer._file, room)
    frames = list(open_frames(video(tmp_path)))
    kept = 0
    for frame in frames:
        try:
            writer.write(look(frame))
        except OSError:
            break
        kept += 1
    assert read_tracks(path).complete is False, "valid before it is closed"
    writer.close(Breakage(kept, None, "full"))
    tracks = read_tracks(path)
    assert 0 < kept < len(frames)
    assert (len(tracks.frames), tracks.broke_at) == (kept, Breakage(kept, None, "full"))


def test_an_overlay_that_cannot_be_completed_does_not_cost_the_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: VideoWriter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoWriter, "close", refuse)
    out = tmp_path / "out"
    writer = run(open_frames(video(tmp_path)), Output(out, overlay=out / "overlay.mp4"))
    assert any("overlay could not be completed" in note for note in writer.notes)
    assert len(read_tracks(out / "tracks.json").frames) == 12
    assert not list(out.glob("*.mp4"))
    assert not list(out.glob(".*"))


def test_results_of_another_source_are_not_replaced(tmp_path: Path):
    path, out = video(tmp_path), tmp_path / "out"
    run(open_frames(path), Output(out))
    with pytest.raises(
        InputError, match=r"holds results of 'op 1\.mp4'; choose another folder for 'array'"
    ):
        run(open_frames([numbered(0)]), Output(out))
    (out / "tracks.json").write_text("my own notes")
    with pytest.raises(InputError, match="not come from an earlier run; choose another folder"):
        run(open_frames(path), Output(out))
    (out / "tracks.json").unlink()
    with pytest.raises(InputError, match=r"op_1: exists already, without tracks\.json"):
        run(open_frames(path), Output(out))
    assert len(open_annotations(out / "Annotations" / "op_1").frames(1)) == 12


def test_the_source_is_not_overwritten_by_its_overlay(tmp_path: Path):
    path = video(tmp_path)
    before = path.read_bytes()
    (tmp_path / "link.mp4").symlink_to(path)
    for overlay in (path, tmp_path / "link.mp4"):
        with pytest.raises(InputError, match="would overwrite the source"):
            run(open_frames(path), Output(tmp_path / "out", overlay=overlay))
    assert path.read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_written(tmp_path: Path):
    path = video(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is a file"):
        run(open_frames(path), Output(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot write to .*file"):
        run(open_frames(path), Output(tmp_path / "file" / "out"))
    with pytest.raises(InputError, match="must end in"):
        run(open_frames(path), Output(tmp_path / "out", overlay=tmp_path / "overlay"))


def test_a_full_disk_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, out = video(tmp_path), tmp_path / "out"
    with open_frames(path) as source:
        frames = list(source)

    def full() -> Iterator[None]:
        with open_frames(path) as source, ResultWriter(Output(out), source, RUN) as writer:
            write = writer._masks.write

            def limited(name: str, masks: dict[int, np.ndarray]) -> None:
                if name == "00006":
                    raise OSError(28, "No space left on device", str(out))
                write(name, masks)

            monkeypatch.setattr(writer._masks, "write", limited)
            for frame in frames:
                writer.write(frame, look(frame))

    with pytest.raises(InputError, match="No space left on device"):
        full()
    tracks = read_tracks(out / "tracks.json")
    assert len(tracks.frames) == 6
    assert tracks.broke_at is not None
    assert "No space left" in tracks.broke_at.reason


# ---------------------------------------- sources of all kinds


def test_tracking_that_begins_late(tmp_path: Path):
    with (
        open_frames(video(tmp_path)) as source,
        ResultWriter(Output(tmp_path / "out"), source, RUN) as writer,
    ):
        for frame in source.frames(9):
            writer.write(frame, look(frame))
    assert [frame.index for frame in read_tracks(tmp_path / "out" / "tracks.json").frames] == [
        9,
        10,
        11,
    ]
    assert open_annotations(writer.masks_folder).frames(1) == ["00009", "00010", "00011"]


def test_objects_that_come_and_go(tmp_path: Path):
    with (
        open_frames([numbered(i) for i in range(3)]) as source,
        ResultWriter(Output(tmp_path), source, {}) as writer,
    ):
        for frame in source:
            full = np.ones(frame.size, bool)
            writer.write(
                frame,
                FrameResult(
                    frame.index, None, {frame.index: full}, {frame.index: 1.0}, {frame.index: 1.0}
                ),
            )
    masks = open_annotations(tmp_path / "Annotations" / "array")
    assert [masks.frames(i) for i in masks.ids()] == [["00000"], ["00001"], ["00002"]]
    assert json.loads((tmp_path / "tracks.json").read_text())["source"]["fps"] is None


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("op.mp4", "op"),
        ("Fall 7 (groß).mp4", "Fall_7_groß"),
        ("rtsp://host/stream/cam.sdp", "cam"),
        ("https://host/a/", "a"),
        ("../../etc", "etc"),
        ("...", "video"),
        ("video=Camera: 1", "video_Camera_1"),
        ("/dev/video0", "video0"),
    ],
)
def test_folder_names(source: str, folder: str):
    assert folder_name(source) == folder


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("case.01", "case.01"),
        ("2024.05.14", "2024.05.14"),
        ("Fall 7 (groß).mp4", "Fall 7 (groß).mp4"),
        ("op.mp4", "op.mp4"),
        (".hidden", "hidden"),
        ("a|b.c", "a_b.c"),
        ("a\x1b[31m.c", "a_31m.c"),
        ("...", "video"),
        ("", "video"),
    ],
)
def test_a_folder_keeps_its_name(source: str, folder: str):
    """Data sets know their videos by it; only files have a suffix to lose."""
    assert folder_name(source, is_folder=True) == folder


def test_the_suffix_of_a_single_picture_goes(tmp_path: Path):
    path = tmp_path / "still.01.png"
    Image.fromarray(numbered(0)).save(path)
    run(open_frames(path), Output(tmp_path / "out"))
    assert (tmp_path / "out/Annotations/still.01/001/still.01.png").exists()
