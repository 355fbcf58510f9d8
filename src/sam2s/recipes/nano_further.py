"""``nano``, second part: from the weights of the first to the packaged ones, with all three ideas
of the paper.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 scripts/train_recipe.py nano_further --out
    runs/nano_further

What the first part lacked, by its log and its pictures: an encoder that knows where things end.
Masks followed colour, in blocks of 16 pixels, and gradients of one clip a process were noise (the
mean cosine between those of two steps is zero). So the encoder is first supervised densely
(``train.dense``), and a step sees four clips a process; there are more scenes, and longer ones, of
which more absences are drawn; and real laryngeal sequences, a tenth of the clips. ``data/real`` is
what ``scripts/real_masklets.py`` makes; its split ``train`` holds four of the six laryngeal
sequences. The class names are a learnable bank, since no CLIP weights were at hand.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.masklets.vocabulary import INSTRUMENTS
from sam2s.model.presets import SemanticConfig
from sam2s.recipes.nano import AUGMENT, CORRECTING, FULL, LOSS, nano
from sam2s.synthetic.procedures import TRAINING
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import FolderSet, Stage, SyntheticSet, TrainConfig
from sam2s.train.unroll import UserConfig

CLICKING = UserConfig(
    mask=0.0, box=0.2, prompted=1, corrected=1, clicks=2, correct=0.9, centred=0.5
)
MORE_SEED = 3000
# Half a loss pixel is two input pixels here; the paper's one would blur a thin tool away at this
# resolution.
SOFT_LOSS = replace(LOSS, soften=SoftLabel(sigma=0.5), dense=2.0)
REAL_WEIGHT = 20.0
"""Of a laryngeal video: four of them are a tenth of the clips beside 720 synthetic ones."""


def nano_further() -> TrainConfig:
    """The recipe, as run for the packaged weights."""
    first = nano()
    assert first.validation is not None
    return replace(
        first,
        name="nano_further",
        pretrained=True,
        stages=_stages(),
        synthetic=(
            *first.synthetic,
            SyntheticSet(TRAINING, videos=70, frames=64, size=FULL, seed=MORE_SEED),
        ),
        folders=(FolderSet("data/real", REAL_WEIGHT, split="train"),),
        validation=replace(first.validation, every=500),
        semantic=SemanticConfig(INSTRUMENTS, bank="learnable", width=128),
        seed=8,
    )


def _stages() -> tuple[Stage, ...]:
    """The encoder alone, by dense supervision; clicks on single frames; short clips with
    corrections; whole clips of eight frames, half of them DiveMem's."""
    pair = ConsecutiveSampler(frames=2, max_objects=8, max_stride=16, min_area=0.0008, absence=0.3)
    one = ConsecutiveSampler(frames=1, max_objects=3, min_area=0.002)
    three = ConsecutiveSampler(frames=3, max_objects=3, max_stride=12, min_area=0.002, absence=0.5)
    eight = ConsecutiveSampler(frames=8, max_objects=3, max_stride=6, min_area=0.001, absence=0.6)
    long = DiverseSampler(max_objects=3, max_stride=3, min_area=0.001)
    short = Stage(
        "short clips", 1000, FULL, 4, 3e-4, 1.5e-4, 20, three, loss=SOFT_LOSS, user=CORRECTING
    )
    whole = Stage(
        "whole clips",
        400,
        FULL,
        2,
        1.5e-4,
        2e-6,
        0,
        eight,
        0.5,
        long,
        loss=SOFT_LOSS,
        user=CORRECTING,
    )
    stages = (
        Stage("encoder", 1500, FULL, 6, 1.2e-3, 3e-4, 50, pair, loss=SOFT_LOSS, encoder_only=True),
        Stage(
            "clicks",
            700,
            FULL,
            8,
            6e-4,
            4e-4,
            50,
            one,
            loss=SOFT_LOSS,
            user=CLICKING,
            frozen=("image_encoder",),
        ),
        replace(short, encoder_gradient=0.1),
        replace(whole, encoder_gradient=0.1),
    )
    return tuple(replace(stage, augment=AUGMENT) for stage in stages)
