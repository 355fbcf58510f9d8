"""Models by Hugging Face id, through ``huggingface_hub``: its cache, its token and
``HF_HUB_OFFLINE`` are honoured."""

from __future__ import annotations

import re
from pathlib import Path

from sam2s.errors import WeightsError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CONFIG_KEY = "sam2s_config"
"""Key of a safetensors header under which our config travels, so that the weights file alone is a
whole model."""

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_repo_id(name: str) -> bool:
    """Whether ``name`` has the form ``owner/model``."""
    return _REPO_ID.fullmatch(name) is not None


def fetch(repo_id: str) -> Path:
    """The local folder that holds ``config.json`` and ``model.safetensors`` of a hub model,
    downloaded once.

    Raises WeightsError, one line that says what to do, whatever goes wrong between here and the
    hub.
    """
    return [_fetch_file(repo_id, name) for name in (CONFIG_FILE, WEIGHTS_FILE)][-1].parent


def _fetch_file(repo_id: str, name: str) -> Path:
    # Here, since local models need no client of a hub, and importing it takes a while.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(hf_hub_download(repo_id, name))
    except LocalEntryNotFoundError as error:
        raise WeightsError(_unreachable(repo_id, name)) from error
    except GatedRepoError as error:
        raise WeightsError(
            f"{repo_id}: its owner asks for a login; accept the terms there and set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise WeightsError(
            f"{repo_id}: the Hugging Face hub has no such public model; check the spelling, or set"
            " HF_TOKEN"
        ) from error
    except EntryNotFoundError as error:
        raise WeightsError(
            f"{repo_id}: the repository has no {name}; if it holds a .pt file, download that and"
            " give its path instead"
        ) from error
    except Exception as error:
        # The hub's client raises errors of its own, of its HTTP library and of the system,
        # differently in each version; to the person waiting they are all one thing, and the cause
        # stays attached.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(
            f"{repo_id}: {name} was not downloaded ({reason}); check the network, try again"
        ) from error


def _unreachable(repo_id: str, name: str) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return (
            f"{repo_id}: {name} is not in the local cache and HF_HUB_OFFLINE is set; unset it once"
            " to download, or give the path of a local folder or file"
        )
    return (
        f"{repo_id}: {name} is not in the local cache and the Hugging Face hub cannot be reached;"
        " check the network, or give the path of a local folder or file"
    )
