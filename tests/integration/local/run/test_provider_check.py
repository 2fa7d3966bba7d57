"""Whether a provider of the user's own answers, asked of true sockets."""

import socket
from collections.abc import Iterator

import pytest

from local.errors import ProviderError
from local.run.provider_check import check_provider
from local.stack.provider_choice import Provider
from tests.integration.local.emulator.running import Emulator, started


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started() as running:
        yield running


@pytest.mark.parametrize("status", [200, 404, 405, 429, 500, 503])
def test_a_provider_that_answers_is_gone_on_with(emulator: Emulator, status: int) -> None:
    emulator.play(calls=[{"operation": "listBatches", "do": {"status": status, "html": True}}])
    before = len(emulator.calls("listBatches"))
    check_provider(Provider(emulator.url, emulator.api_key))
    assert len(emulator.calls("listBatches")) == before + 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told(emulator: Emulator, status: int) -> None:
    emulator.play(calls=[{"operation": "listBatches", "do": {"status": status}}])
    with pytest.raises(ProviderError, match=rf"refused PROVIDER_API_KEY \(HTTP {status}\)\. Nothing was sent\."):
        check_provider(Provider(emulator.url, "sk-very-secret"))


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ProviderError, match=rf"Nothing answers at http://127\.0\.0\.1:{port}/v1 .*Nothing was sent\."):
        check_provider(Provider(f"http://127.0.0.1:{port}/v1", "sk-1"))


def test_a_key_that_fits_in_no_header_is_told_without_it() -> None:
    with pytest.raises(ProviderError, match="API key") as caught:
        check_provider(Provider("http://127.0.0.1:1/v1", "sk very secret"))
    assert "very" not in str(caught.value)
