"""The tables of a project's database, and the schema's version.

Times are Unix seconds. What is written is never changed but for the state of actions and runs, and
nothing is deleted, so that a crash at any moment leaves a project that opens.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table

SCHEMA_VERSION = 2
"""Of the tables below; ``migrations`` brings earlier ones here."""

SCHEMA = MetaData()

META = Table(
    "meta",
    SCHEMA,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
"""``schema_version`` and whatever else is said once a project."""

VIDEOS = Table(
    "videos",
    SCHEMA,
    Column("id", String, primary_key=True),  # drawn at random: says nothing of the file
    Column("path", String, nullable=False),
    Column("name", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("revision", Integer, nullable=False),  # counts changes of the log
    Column("height", Integer),  # pixels, from the first opening on, as the next three
    Column("width", Integer),
    Column("fps", Float),
    Column("frames", Integer),  # exact, from the index; null until there is one
)

INDEXES = Table(
    "indexes",
    SCHEMA,
    Column("video", String, primary_key=True),
    Column("places", LargeBinary, nullable=False),  # frame_index.pack
)
"""Where each frame of a video is, so that no second start reads the whole video again."""

ACTIONS = Table(
    "actions",
    SCHEMA,
    Column("video", String, primary_key=True),
    Column("number", Integer, primary_key=True),  # of the entry in the session's history
    Column("row", String, nullable=False),  # JSON, as action_file.rows_of writes it
    Column("state", String, nullable=False),  # done, undone (can be redone), dropped (cannot)
    Column("at", Float, nullable=False),
)

MASKS = Table(
    "masks",
    SCHEMA,
    Column("video", String, primary_key=True),
    Column("object", Integer, primary_key=True),
    Column("frame", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),  # number of the action that made it
    Column("presence", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("class_name", String),
    Column("class_prob", Float),
    Column("area", Integer, nullable=False),  # pixels
    Column("x", Float, nullable=False),  # middle of the bounding box, pixels; 0 where empty
    Column("y", Float, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # COCO RLE of the video's size, deflated
    Column("twin", Integer),  # another object that lay on the same pixels when this was found
    sqlite_with_rowid=False,
)

RUNS = Table(
    "runs",
    SCHEMA,
    Column("video", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", String, nullable=False),  # track, import
    Column("state", String, nullable=False),  # tracking_runs.RunState
    Column("passes", String, nullable=False),  # JSON, tracking_runs.passes_to_json
    Column("visited", Integer, nullable=False),  # frames
    Column("steps", Integer, nullable=False),  # frames to visit in all
    Column("message", String),
)

MEMORIES = Table(
    "memories",
    SCHEMA,
    Column("video", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("object", Integer, primary_key=True),
    Column("frames", String, nullable=False),  # JSON list of frame indices, long-term memories
)
"""What a run's memory held of each object when it last changed."""
