"""The bank of class names for TSL: embeddings of the names by CLIP's text tower, through
transformers.

Made once, before training; it is saved with the model, and no text encoder is needed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.errors import WeightsError
from sam2s.extras import missing_extra


@torch.no_grad()
def text_bank(classes: Sequence[str], templates: Sequence[str], encoder: str) -> Tensor:
    """(K, width) float32, rows of unit length: the mean over ``templates`` of each name's unit text
    embedding (CLIP).

    ``templates``: prompts with one ``{}`` for the name. ``encoder``: a folder or hub id of a CLIP
    checkpoint in transformers' format, text projection included. Raises InputError without
    transformers, WeightsError when the checkpoint cannot be found or lacks parts of the text tower.
    """
    tokenizer, tower = _load(encoder)
    rows = []
    for name in classes:
        texts = [template.replace("{}", name) for template in templates]
        batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        rows.append(F.normalize(tower(**batch).text_embeds.float(), dim=-1).mean(dim=0))
    return F.normalize(torch.stack(rows), dim=-1)


def _load(encoder: str) -> tuple[Any, Any]:
    try:
        from transformers import AutoTokenizer, CLIPTextModelWithProjection
    except ImportError as error:
        instead = "choose the bank orthogonal or learnable"
        raise missing_extra("the bank text", "transformers", "tsl", instead) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder)
        # With the report asked for, a pair comes back, which transformers' annotations do not say.
        loaded: Any = CLIPTextModelWithProjection.from_pretrained(
            encoder, output_loading_info=True, dtype=torch.float32
        )
        tower, report = loaded
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise WeightsError(
            f"{encoder}: not a CLIP checkpoint that transformers can load ({reason})"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise WeightsError(
            f"{encoder}: lacks {len(missing)} tensors of CLIP's text tower ({missing[0]}); give a"
            " whole CLIP checkpoint"
        )
    return tokenizer, tower.eval()
