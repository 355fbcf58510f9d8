"""TSL, temporal semantic learning: the token x'_c is contrasted with the names of all instruments
(paper section 3.3).

Softmax cross-entropy over the scaled cosines to K class names. What an object is does not depend on
the frame, so every decoding of an object with a class counts, also where it is out of view: there
only its memories can say. Objects without an instrument class (tissue, sources that name no type)
add nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.devices import upload
from sam2s.errors import InputError
from sam2s.masklets.kept import LabelledVideo
from sam2s.model.presets import SemanticConfig
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.model.semantic_head import SemanticHead
from sam2s.types import Decoded
from sam2s.weights.text_bank import text_bank

NO_CLASS = -1
BANK = "semantic_head.text_embed"


def semantic_losses(
    head: SemanticHead, decoded: Sequence[Decoded], classes: Sequence[str | None]
) -> Tensor:
    """The loss of several decodings of the same N rows, summed over them. ``classes``: N names or
    None."""
    targets = upload(class_targets(classes, head.classes), head.token.device)
    tokens = [part.semantic for part in decoded if part.semantic is not None]
    # Judged as rows of one decoding, over which the loss is a mean.
    loss = semantic_loss(head.logits(torch.cat(tokens)), targets.repeat(len(tokens)))
    return len(tokens) * loss


def semantic_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of (N, K) logits against (N,) class numbers, averaged over all N rows;
    `NO_CLASS` adds nothing (such a row still counts in the average, so that a row weighs the same
    in every batch)."""
    return F.cross_entropy(logits, targets, ignore_index=NO_CLASS, reduction="sum") / max(
        1, len(targets)
    )


def class_targets(classes: Sequence[str | None], names: Sequence[str]) -> Tensor:
    """(N,) int64: the place of each row's class in ``names``, `NO_CLASS` for None. ``InputError``
    for another name."""
    numbers = {name: k for k, name in enumerate(names)}
    unknown = sorted({name for name in classes if name is not None and name not in numbers})
    if unknown:
        raise InputError(
            f"class {', '.join(map(repr, unknown))}: not among the model's class names"
            f" ({', '.join(names)}); add it to semantic.classes or rename it in the data"
        )
    return torch.tensor(
        [NO_CLASS if name is None else numbers[name] for name in classes], dtype=torch.long
    )


def check_classes(videos: Iterable[LabelledVideo], names: Sequence[str]) -> None:
    """``InputError`` before the first step when the data hold an instrument class that the model
    does not know."""
    objects = (info for video in videos for info in video.info.objects.values())
    class_targets([info.class_name for info in objects if info.kind == "instrument"], names)


def with_semantics(model: SAM2S, semantic: SemanticConfig) -> SAM2S:
    """``model`` with TSL's token and the bank of ``semantic`` filled; all its other weights are
    kept.

    Token and projection are kept as well where the model has them at this width, and the entries of
    names that a learnable bank had, so that a model can be taught the names of another hospital; a
    model with this very configuration keeps its bank and needs no text encoder.
    """
    wanted = _recorded(semantic)
    if model.config.semantic == wanted:
        return model
    grown = build_model(replace(model.config, semantic=wanted)).train(model.training)
    shapes = {name: tensor.shape for name, tensor in grown.state_dict().items()}
    kept = {n: t for n, t in model.state_dict().items() if n != BANK and shapes.get(n) == t.shape}
    grown.load_state_dict(kept, strict=False)
    assert grown.semantic_head is not None
    if semantic.bank == "learnable":
        _keep_names(grown.semantic_head, model.semantic_head)
    if semantic.bank == "text":
        assert semantic.encoder is not None
        grown.semantic_head.fill(text_bank(semantic.classes, semantic.templates, semantic.encoder))
    return grown


@torch.no_grad()
def _keep_names(head: SemanticHead, before: SemanticHead | None) -> None:
    """Give the names that ``before`` knew the entries that it had learnt for them."""
    if before is None or before.text_embed.shape[1] != head.text_embed.shape[1]:
        return
    for number, name in enumerate(head.classes):
        if name in before.classes:
            head.text_embed[number] = before.text_embed[before.classes.index(name)]


def _recorded(semantic: SemanticConfig) -> SemanticConfig:
    """What is kept with the weights: of a folder on this machine only its name."""
    if semantic.bank != "text":
        return replace(semantic, encoder=None)
    folder = Path(os.path.expanduser(str(semantic.encoder)))
    return replace(semantic, encoder=folder.resolve().name) if folder.is_dir() else semantic
