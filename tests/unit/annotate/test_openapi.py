"""What the API's schema promises holds for requests that nobody would think of: each is answered,
as the schema says, and never with an error of the server.

A few requests an operation, always the same ones. More by hand:
``SAM2S_API_EXAMPLES=300 pytest tests/unit/annotate/test_openapi.py``.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from annotate_pictures import act
from sam2s.annotate.workspace import Workspace

EXAMPLES = int(os.environ.get("SAM2S_API_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CLICK = {"action": "click", "object": 1, "frame": 0, "x": 20.0, "y": 24.0, "label": 1}


@pytest.fixture(scope="module")
def quick(work: Workspace):
    """Nobody waits for wrong passwords."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sam2s.annotate.server.sign_in.WAIT", 0.0)
        work.models.tracker()
        yield


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_request_is_answered_as_the_schema_says(
    page: TestClient, base: str, work: Workspace, quick: None, mode: GenerationMode
):
    act(page, base, **CLICK)
    schema = schemathesis.openapi.from_dict(page.get("/api/openapi.json").json())
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.body or operation.path_parameters or mode == GenerationMode.POSITIVE:
            _try(operation, mode, page, base)  # of nothing there is no wrong kind
    assert page.get(f"{base}/session").status_code == 200
    assert page.post(f"{base}/preview", json={"object": 1, "frame": 0}).status_code in (200, 400)


def _try(operation: Any, mode: GenerationMode, page: TestClient, base: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        if "video" in case.path_parameters:  # that of another would be refused before anything else
            case.path_parameters["video"] = base.rpartition("/")[2]
        case.validate_response(_sent(case, page), checks=CHECKS)

    one()


def _sent(case: Any, page: TestClient) -> Any:
    """The case's answer. Its words for another client, and our cookie instead of its own."""
    words = case.as_transport_kwargs(base_url=str(page.base_url))
    words.pop("cookies", None)
    if isinstance(words.get("data"), bytes | str):
        words["content"] = words.pop("data")
    return page.request(**words)
