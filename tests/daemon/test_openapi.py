"""The OpenAPI document says what the daemon does."""

from collections.abc import Iterator
from typing import Any

from daemon_rig import Rig


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, operations in document["paths"].items():
        for method in operations:
            yield method.upper(), path


async def test_the_document_names_every_route(rig: Rig) -> None:
    """No more and no fewer than the application has, but for those of its own page, which are not for other clients."""
    document = (await rig.ask("GET", "/v1/openapi.json")).json

    assert document["openapi"].startswith("3.1")
    served = {
        (route.method, route.resource.canonical)
        for route in rig.app.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }
    for_clients = {
        (method, path) for method, path in served if path != "/" and not path.startswith(("/page/", "/v1/page"))
    }
    assert for_clients < served
    assert set(_operations(document)) == for_clients


async def test_the_document_gives_the_daemons_own_limits(rig: Rig) -> None:
    """Built from the values that the checks use."""
    document = (await rig.ask("GET", "/v1/openapi.json")).json
    health = (await rig.ask("GET", "/v1/health")).json

    parameters = {entry["name"]: entry["schema"] for entry in document["paths"]["/v1/colorize"]["post"]["parameters"]}
    assert parameters["width"]["maximum"] == health["limits"]["max_side"]
    assert parameters["profile"]["enum"] == ["srgb", "linear", "gray-gamma-2.2", "adobe-rgb", "prophoto"]
    assert parameters["include"]["enum"] == ["doubt", "recipe", "doubt,recipe", "recipe,doubt"]


async def test_every_operation_but_health_needs_the_token(rig: Rig) -> None:
    """And documents the refusal."""
    document = (await rig.ask("GET", "/v1/openapi.json")).json

    for method, path in _operations(document):
        operation = document["paths"][path][method.lower()]
        is_open = operation.get("security") == []
        assert is_open == (path == "/v1/health")
        assert ("401" in operation["responses"]) != is_open
        refused = await rig.ask(method, path.replace("{id}", "x"), token=None)
        assert (refused.status == 401) != is_open


async def test_health_and_jobs_keep_to_their_schemas(rig: Rig) -> None:
    """Every member that is required is there, and none that is not described."""
    document = (await rig.ask("GET", "/v1/openapi.json")).json
    schemas = document["components"]["schemas"]
    job = (await rig.colorize(b"\0", path="jobs")).json
    answers = {
        "Health": (await rig.ask("GET", "/v1/health?nonce=" + "a" * 32)).json,
        "Job": await rig.finished_job(job["id"]),
        "Error": (await rig.ask("GET", "/v1/jobs/x")).json,
    }
    for name, answer in answers.items():
        assert set(schemas[name]["required"]) <= set(answer) <= set(schemas[name]["properties"]), name
