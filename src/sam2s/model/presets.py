"""The shapes of SAM2S models: SAM 2.1's four sizes and ``nano``, made for 256 px on a processor
without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

from sam2s.errors import InputError, WeightsError
from sam2s.memory.all_rules import SavedRule
from sam2s.memory.diverse import Diverse
from sam2s.memory.recent import Recent
from sam2s.typed_json import Bounds, OneLine, build, check_fields

Width = Annotated[int, Bounds(1, 65_536)]
"""Channels. Every number of a config has bounds: it may come from a stranger's file, which must not
make us allocate or loop without end."""
Heads = Annotated[int, Bounds(1, 256)]
Layers = Annotated[int, Bounds(1, 256)]
Share = Annotated[float, Bounds(low=0, below=1)]

BANKS = ("text", "orthogonal", "learnable")
"""Where the bank of class names comes from."""


@dataclass(frozen=True)
class SemanticConfig:
    """TSL's token and its class names (paper section 3.3).

    ``classes``: K instrument class names, in the bank's order. ``bank``: ``text``, frozen
    embeddings of the names by the CLIP text tower ``encoder`` (a hub id or a folder, of which only
    the name is kept with the weights) under ``templates``, each with one ``{}`` for the name;
    ``orthogonal``, frozen orthonormal directions drawn from ``seed``; ``learnable``, these as a
    start. ``width``: channels of the bank (512 for CLIP's ViT-B).
    """

    classes: tuple[Annotated[str, OneLine()], ...]
    bank: str = "text"
    width: Width = 512
    encoder: str | None = None
    templates: tuple[Annotated[str, OneLine()], ...] = ("a photo of a {}.",)
    seed: Annotated[int, Bounds(0, 2**63 - 1)] = 0

    def __post_init__(self) -> None:
        check_fields(self, "semantic")
        if not self.classes or len(set(self.classes)) < len(self.classes) or not all(self.classes):
            raise InputError(
                "semantic classes: expected different names, at least one; got"
                f" {list(self.classes)}"
            )
        if self.bank not in BANKS:
            raise InputError(
                f"semantic bank: got {self.bank!r}, expected one of {', '.join(BANKS)}"
            )
        if self.bank == "text" and self.encoder is None:
            raise InputError(
                "semantic bank: text needs encoder, a folder or hub id of CLIP; or choose another"
                " bank"
            )
        if self.bank != "text" and self.width < len(self.classes):
            raise InputError(
                f"semantic bank: {len(self.classes)} orthogonal classes need a width of as many"
                " channels"
            )
        if not self.templates or any(template.count("{}") != 1 for template in self.templates):
            raise InputError(
                "semantic templates: each needs {} once, for the name; got"
                f" {list(self.templates)}"
            )


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes a model's tensors, its input size, and the memory rule it runs under by
    default.

    ``image_size`` S is the default side of the input in pixels, a multiple of 32; any such size
    works. ``trunk_*``: Hiera (stage-wise blocks and windows; indices of blocks with global
    attention; side of the coarse position code). ``dim``: channels of features and tokens;
    ``memory_dim``: of memory maps. ``long_term_embedding``: DiveMem's own temporal embedding for
    long-term memories (paper section 3.2). ``pointer_horizon``: pointer ages are divided by it, in
    frames. ``semantic``: TSL's token and class names; None is SAM 2, without a parameter more.
    ``stability_threshold``: where several points prompt, the single candidate gives way to the best
    of the three when it is less stable than this (SAM 2: 0.98; 0: never, for models whose logits
    are too soft for that test). ``drop_path`` and ``dropout`` act in training mode only.
    """

    name: Annotated[str, OneLine(100)] = "base_plus"
    image_size: Annotated[int, Bounds(32, 4096)] = 1024
    trunk_dim: Width = 112
    trunk_heads: Heads = 2
    trunk_blocks: tuple[Layers, ...] = (2, 3, 16, 3)
    trunk_windows: tuple[Annotated[int, Bounds(1, 128)], ...] = (8, 4, 14, 7)
    trunk_global_blocks: tuple[Annotated[int, Bounds(0, 1024)], ...] = (12, 16, 20)
    trunk_position_grid: Annotated[int, Bounds(1, 256)] = 14
    drop_path: Share = 0.0
    dim: Width = 256
    decoder_layers: Layers = 2
    decoder_heads: Heads = 8
    decoder_mlp_dim: Width = 2048
    iou_head_dim: Width = 256
    stability_threshold: float = 0.98
    memory_dim: Width = 64
    memory_encoder_layers: Layers = 2
    memory_layers: Layers = 4
    memory_mlp_dim: Width = 2048
    dropout: Share = 0.1
    pointer_horizon: Annotated[int, Bounds(1, 10_000)] = 15
    long_term_embedding: bool = False
    semantic: SemanticConfig | None = None
    memory: SavedRule = field(default_factory=Recent)

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.image_size % 32:
            raise InputError(
                f"image size: got {self.image_size}, expected a positive multiple of 32"
            )
        self._check_widths()
        if len(self.trunk_blocks) != 4 or len(self.trunk_windows) != 4:
            raise InputError(
                "model: the trunk has four stages; give four block counts and four window sizes"
            )
        if any(window % 2 for window in self.trunk_windows[:3]):
            raise InputError(
                "model: the first three windows are halved, so must be even; got"
                f" {self.trunk_windows}"
            )
        if 8 % self.trunk_windows[0]:
            raise InputError(
                "model: the first window must be 2, 4 or 8, which divide every input; got"
                f" {self.trunk_windows[0]}"
            )

    def _check_widths(self) -> None:
        """Widths are split over heads, and in halves and quarters on the way up."""
        if self.dim % self.memory_dim or self.dim % 8 or self.memory_dim % 4:
            raise InputError(
                f"model: dim {self.dim} must be a multiple of 8 and of memory_dim"
                f" {self.memory_dim}, itself one of 4"
            )
        for name, width, heads in (
            ("half of dim", self.dim // 2, self.decoder_heads),
            ("trunk_dim", self.trunk_dim, self.trunk_heads),
        ):
            if width % heads:
                raise InputError(f"model: {name}, {width}, cannot be split over {heads} heads")

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, ready for JSON."""
        return _plain(asdict(self))

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ModelConfig:
        """The inverse of ``to_dict``. Keys that are missing take their default; unknown ones are a
        ``WeightsError``."""
        return build(
            values, ModelConfig, "model configuration", unknown="refuse", error=WeightsError
        )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
    }
    return {
        key: _plain(value) if isinstance(value, dict) else value for key, value in plain.items()
    }


PRESETS: dict[str, ModelConfig] = {
    "nano": ModelConfig(
        name="nano",
        image_size=256,
        trunk_dim=48,
        trunk_heads=1,
        trunk_blocks=(1, 2, 5, 1),
        trunk_windows=(8, 4, 16, 8),
        trunk_global_blocks=(),
        trunk_position_grid=8,
        dim=128,
        decoder_mlp_dim=512,
        iou_head_dim=128,
        stability_threshold=0.0,
        memory_layers=2,
        memory_mlp_dim=512,
        dropout=0.0,
        long_term_embedding=True,
        memory=Diverse(),
    ),
    "tiny": ModelConfig(
        name="tiny",
        trunk_dim=96,
        trunk_heads=1,
        trunk_blocks=(1, 2, 7, 2),
        trunk_global_blocks=(5, 7, 9),
        trunk_position_grid=7,
    ),
    "small": ModelConfig(
        name="small",
        trunk_dim=96,
        trunk_heads=1,
        trunk_blocks=(1, 2, 11, 2),
        trunk_global_blocks=(7, 10, 13),
        trunk_position_grid=7,
    ),
    "base_plus": ModelConfig(),
    "large": ModelConfig(
        name="large",
        trunk_dim=144,
        trunk_blocks=(2, 6, 36, 4),
        trunk_windows=(8, 4, 16, 8),
        trunk_global_blocks=(23, 33, 43),
        trunk_position_grid=7,
    ),
}


def preset(name: str, **overrides: Any) -> ModelConfig:
    """One of nano, tiny, small, base_plus, large, with some fields replaced; ``InputError`` for
    another name."""
    if name not in PRESETS:
        raise InputError(f"unknown model {name!r}; expected one of {', '.join(PRESETS)}")
    return replace(PRESETS[name], **overrides)
