"""The routes of `/v1/files`."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from batchyard import services
from batchyard.api import files
from batchyard.api.app import header, inline_or_elsewhere, query, raw_body, tenant

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # powertools leaves it untyped


@router.post("/v1/files")
def create_file() -> dict[str, Any]:
    """CreateFile."""
    return files.create_file(services.current(), tenant(), header("content-type"), raw_body())


@router.get("/v1/files")
def list_files() -> dict[str, Any]:
    """ListFiles."""
    return files.list_files(
        services.current(), tenant(),
        purpose=query("purpose"), limit=query("limit"), order=query("order"), after=query("after"),
    )  # fmt: skip


@router.get("/v1/files/<file_id>")
def retrieve_file(file_id: str) -> dict[str, Any]:
    """RetrieveFile."""
    return files.retrieve_file(services.current(), tenant(), file_id)


@router.delete("/v1/files/<file_id>")
def delete_file(file_id: str) -> dict[str, Any]:
    """DeleteFile."""
    return files.delete_file(services.current(), tenant(), file_id)


@router.get("/v1/files/<file_id>/content")
def file_content(file_id: str) -> Response[Any]:
    """DownloadFile."""
    return inline_or_elsewhere(files.file_content(services.current(), tenant(), file_id))
