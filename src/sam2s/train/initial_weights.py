"""What a run starts from: loaded weights, extended where the run asks for it, or fresh ones; and
LoRA's adapters on top of them.

Fresh weights need help: two things keep a mask decoder on a plateau of empty masks, and both were
measured on it (filling boxes drawn on noise: Jaccard index 23 after 160 steps without, 55 after 80
steps with them):

- image features of unit size drown the position codes, so prompts go unread until the features mean
  something;
- SAM's random Fourier codes are fine-grained (a neighbourhood of 8 % of the picture), so that "to
  the right of this corner" is no simple function of them. A spread of scales keeps the fine codes
  and adds coarse ones; the frequencies are a buffer saved with the weights, so nothing else
  changes.

LoRA (Hu et al. 2021, arXiv 2106.09685) goes through ``peft``: low-rank adapters train, the weights
under them are frozen. Adapters are part of the model only while it trains. What is saved is the
model without them, their product added to the weights they sat on, so that nothing but this file
knows of ``peft``.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import torch

from sam2s.errors import InputError
from sam2s.extras import missing_extra
from sam2s.memory.all_rules import named_rule
from sam2s.model.presets import preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.train.config import LoraConfig, TrainConfig
from sam2s.train.semantic import with_semantics
from sam2s.weights.load import load_model

QUIET = 0.2
"""Factor on the image encoder's output projections."""
COARSEST = 0.1
"""Scale of the coarsest position frequency, relative to SAM's; the finest keeps SAM's scale."""
SLOTS = "memory_attention.slot_embed"
ADAPTER = "sam2s"
"""The adapters' name in ``peft``."""


def starting_model(config: TrainConfig) -> SAM2S:
    """The model before the first step: the loaded one, or a fresh one that depends on the seed
    alone.

    Its default input size is that of the last stage. ``InputError`` for adapters on a model that
    knows nothing yet.
    """
    size = config.stages[-1].clips.size
    torch.manual_seed(config.seed)
    if config.pretrained:
        model = load_model(config.model, device="cpu", image_size=size)
    elif config.lora is not None:
        raise InputError(
            "lora: adapters need a trained model under them; set pretrained=true and name one as"
            " model"
        )
    else:
        model = build_model(preset(config.model, image_size=size))
        prepare_start(model)
    if config.long_term:
        model = with_long_term(model)
    if config.semantic is not None:
        model = with_semantics(model, config.semantic)
    return model if config.lora is None else add_adapters(model, config.lora)


def with_long_term(model: SAM2S) -> SAM2S:
    """``model`` with DiveMem's own temporal embedding and DiveMem as its rule; a model that has one
    stays as it is.

    The new embedding starts as that of prompted frames, which long-term memories use without it, so
    nothing changes before training does (the paper does not say how it starts).
    """
    if model.config.long_term_embedding:
        return model
    memory = named_rule("diverse", like=model.config.memory)
    grown = build_model(replace(model.config, long_term_embedding=True, memory=memory)).train(
        model.training
    )
    weights = dict(model.state_dict())
    weights[SLOTS] = torch.cat([weights[SLOTS], weights[SLOTS][-1:]])
    grown.load_state_dict(weights)
    return grown


@torch.no_grad()
def prepare_start(model: SAM2S) -> None:
    """Make the image features quiet and spread the scales of the position code of prompts, in
    place."""
    encoder = model.image_encoder
    for layer in (*encoder.laterals[2:], encoder.project8, encoder.project4):
        layer.weight.mul_(QUIET)
    frequencies = model.prompt_encoder.frequencies
    scales = torch.logspace(
        math.log10(COARSEST), 0.0, frequencies.shape[1], device=frequencies.device
    )
    frequencies.mul_(scales)


def add_adapters(model: SAM2S, config: LoraConfig) -> SAM2S:
    """Put adapters into ``model``, in place, and freeze everything but them and
    ``config.modules``.

    An adapter starts as zero, so the model's answers do not change yet. ``InputError`` when
    ``peft`` is missing, or when ``targets`` or ``modules`` match nothing.
    """
    try:
        import peft
    except ModuleNotFoundError as error:
        raise missing_extra("LoRA", "peft", "lora") from error
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
        _unfreeze(model, prefix)
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
        some = layers[:: max(1, len(layers) // 4)][:4]
        raise InputError(
            f"lora.targets: {targets!r} matches no layer; layers are named like {', '.join(some)}"
        )


def _unfreeze(model: SAM2S, prefix: str) -> None:
    found = [p for name, p in model.named_parameters() if name.startswith(prefix)]
    if not found:
        raise InputError(
            f"lora.modules: no parameter's name begins with {prefix!r}; try mask_decoder"
        )
    for parameter in found:
        parameter.requires_grad_(True)
