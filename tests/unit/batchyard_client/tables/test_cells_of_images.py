"""The image of a row."""

from pathlib import Path
from typing import Any

import pytest

from batchyard_client.tables import CellError, Recipe, read, requests
from batchyard_client.tables.cells import image_address
from tests.unit.batchyard_client.tables.made import bodies

PNG = b"\x89PNG\r\n\x1a\n rest"
ADDRESS = "data:image/png;base64,iVBORw0KGgogcmVzdA=="


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://x/a.png", "https://x/a.png"),
        ("data:image/png;base64,AA==", "data:image/png;base64,AA=="),
        (PNG, ADDRESS),
        ({"bytes": PNG, "path": None}, ADDRESS),
        ({"bytes": None, "path": "HTTP://x"}, "HTTP://x"),
        (b"\xff\xd8\xff", "data:image/jpeg;base64,/9j/"),
        (b"GIF89a", "data:image/gif;base64,R0lGODlh"),
        (b"RIFF0000WEBP", "data:image/webp;base64,UklGRjAwMDBXRUJQ"),
        ("a.png", ADDRESS),
    ],
)
def test_an_image_becomes_an_address(tmp_path: Path, value: Any, address: str) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    assert image_address(value, tmp_path) == address


@pytest.mark.parametrize(
    "value", [b"", b"text", 5, "none.png", "secret.txt", {"bytes": None, "path": None}, "file:///x"]
)
def test_what_is_no_image_never_goes_into_a_request(tmp_path: Path, value: Any) -> None:
    (tmp_path / "secret.txt").write_bytes(b"secret")
    table = read([{"text": "a", "image": PNG}, {"text": "a", "image": value}])
    table.path = tmp_path / "t.csv"
    with pytest.raises(CellError, match="row 2, column 'image'") as caught:
        list(requests(table, Recipe(model="m", prompt="{text}", image_column="image")))
    assert "c2VjcmV0" not in str(caught.value)


def test_a_path_is_taken_from_the_folder_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "t.csv").write_text("text,image\nx,a.png\n")
    (body,) = bodies(requests(read(tmp_path / "t.csv"), Recipe(model="m", prompt="{text}", image_column="image")))
    assert body["messages"][0]["content"][1]["image_url"]["url"] == ADDRESS


def test_a_column_that_is_text_too_is_read_as_an_image_where_the_image_goes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    recipe = Recipe(model="m", prompt="What is {image}?", image_column="image")
    (tmp_path / "t.csv").write_text("image\na.png\n")
    (body,) = bodies(requests(read(tmp_path / "t.csv"), recipe))
    text, image = body["messages"][0]["content"]
    assert (text["text"], image["image_url"]["url"]) == ("What is a.png?", ADDRESS)
    (tmp_path / "t.csv").write_text("image\nsecret.txt\n")
    with pytest.raises(CellError, match=r"row 1, column 'image': secret\.txt is no image"):
        list(requests(read(tmp_path / "t.csv"), recipe))
