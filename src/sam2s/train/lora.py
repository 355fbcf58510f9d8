"""LoRA (Hu et al. 2021, arXiv 2106.09685) through ``peft``: low-rank adapters train, the weights
under them rest.

Adapters are part of the model only while it trains. What is saved is the model without them, their
product added to the weights they sat on, so that nothing but this file knows of ``peft``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sam2s.errors import InputError
from sam2s.model.sam2s import SAM2S, build_model

ADAPTER = "sam2s"
"""The adapters' name in ``peft``."""
ATTENTION = (
    r"image_encoder\.trunk\.blocks\.\d+\.attn\.(qkv|proj)"
    r"|memory_attention\.layers\.\d+\..*_attn\.[qkv]_proj"
)
"""The attention projections of trunk and memory."""


@dataclass(frozen=True)
class LoraConfig:
    """``rank`` r and ``alpha`` of the adapters (their product is scaled by alpha / r), ``dropout``
    on their input.

    ``targets``: regular expression that names the linear and convolution layers to adapt, whole
    (see ``model.named_modules()``). ``modules``: beginnings of the names of parameters that train
    as they are, beside the adapters; TSL's head does so in any case, since it may be new.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: str = ATTENTION
    modules: tuple[str, ...] = ("mask_decoder",)


def add_adapters(model: SAM2S, config: LoraConfig) -> SAM2S:
    """Put adapters into ``model``, in place, and let everything but them and ``config.modules``
    rest.

    An adapter starts as zero, so the model's answers do not change yet. ``InputError`` when
    ``peft`` is missing, or when ``targets`` or ``modules`` match nothing.
    """
    try:
        import peft
    except ModuleNotFoundError as error:
        raise InputError("LoRA needs peft; install it with pip install 'sam2s[lora]'") from error
    _check_targets(model, config.targets)
    adapters = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        lora_dropout=config.dropout,
        target_modules=config.targets,
    )
    peft.inject_adapter_in_model(adapters, model, adapter_name=ADAPTER)
    trained = (
        (*config.modules, "semantic_head") if model.semantic_head is not None else config.modules
    )
    for prefix in trained:
        _wake(model, prefix)
    return model


def merged(model: SAM2S) -> SAM2S:
    """A model of the plain shape with what ``model`` and its adapters compute together, in
    evaluation mode."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    weights = {
        n.replace(".base_layer.", "."): t
        for n, t in model.state_dict().items()
        if ".lora_" not in n
    }
    for name, layer in model.named_modules():
        if isinstance(layer, BaseTunerLayer):
            change = layer.get_delta_weight(ADAPTER)  # type: ignore[operator, attr-defined]
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + change
    plain = build_model(model.config).to(next(model.parameters()).device)
    plain.load_state_dict(weights)
    return plain.eval()


def _check_targets(model: SAM2S, targets: str) -> None:
    try:
        pattern = re.compile(targets)
    except re.error as error:
        raise InputError(f"lora.targets: {targets!r} is no regular expression ({error})") from error
    layers = [
        name
        for name, m in model.named_modules()
        if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)
    ]
    if not any(pattern.fullmatch(name) for name in layers):
        raise InputError(
            f"lora.targets: {targets!r} matches no layer; layers are named like {_examples(layers)}"
        )


def _wake(model: SAM2S, prefix: str) -> None:
    woken = [p for name, p in model.named_parameters() if name.startswith(prefix)]
    if not woken:
        raise InputError(
            f"lora.modules: no parameter's name begins with {prefix!r}; try mask_decoder"
        )
    for parameter in woken:
        parameter.requires_grad_(True)


def _examples(layers: Sequence[str]) -> str:
    return ", ".join(layers[:: max(1, len(layers) // 4)][:4])
