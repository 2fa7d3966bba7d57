"""A signature is that of AWS's own documents, reckoned here a second time and without botocore."""

import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.credentials import Credentials
from botocore.exceptions import MetadataRetrievalError

from batch_client import AnthropicDialect, BatchClient, BedrockDialect, InvalidArgumentError, Job
from batchyard.adapters.aws import RoleSigner, region_of
from batchyard.domain.errors import KeyMissing, StoreError
from batchyard.domain.policy import Reaction, after_failed_call
from tests.unit.batch_client.dialects.test_anthropic import LINES, batch
from tests.unit.batch_client.fake_service import FakeService, Sent, answer

URL = "https://aws-external-anthropic.eu-central-1.api.aws"
SERVICE, REGION, SECRET = "aws-external-anthropic", "eu-central-1", "made-up-secret"
JOB = Job(key="batch_1/0/1", endpoint="/v1/messages", model="m", window="24h", count=3, filename="x.jsonl")


@pytest.fixture(autouse=True)
def _role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUP")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "made-up-token")


def speak(service: FakeService) -> AnthropicDialect:
    session = requests.Session()
    session.mount("https://", service)
    headers = {"anthropic-workspace-id": "wrkspc_1"}
    return AnthropicDialect(BatchClient(RoleSigner(), URL, session=session, profile="anthropic-aws", headers=headers))


def signature(sent: Sent, headers: Mapping[str, str], of: str = SERVICE) -> str:
    """Reckon the signature of a request (Signature Version 4)."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIAMADEUP/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, "
        r"SignedHeaders=([\w;-]+), Signature=[0-9a-f]{64}",
        headers["authorization"],
    )
    assert found
    day, region, service, names = found.groups()
    assert (region, service) == (REGION, of)
    url = urlsplit(sent.url)
    signed = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    body = hashlib.sha256(sent.body).hexdigest()
    query = "&".join(sorted(url.query.split("&")))
    canonical = "\n".join([sent.method, url.path, query, signed, names, body])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], f"{day}/{region}/{service}/aws4_request", digest])
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def checked(sent: Sent) -> dict[str, str]:
    headers = {name.lower(): value for name, value in sent.headers.items()} | {"host": urlsplit(sent.url).netloc}
    assert headers["authorization"].endswith(f"Signature={signature(sent, headers)}")
    for name in ("x-amz-date", "x-amz-security-token", "anthropic-workspace-id", "anthropic-version", "host"):
        assert name in headers["authorization"], f"{name} is not signed"
    assert "x-api-key" not in headers
    return headers


def test_a_create_is_signed_over_its_whole_body_and_has_no_key() -> None:
    service = FakeService([answer(batch())])
    speak(service).submit(JOB, LINES)
    (sent,) = service.sent
    headers = checked(sent)
    assert headers["x-amz-content-sha256"] == hashlib.sha256(sent.body).hexdigest()
    assert json.loads(sent.body)["requests"][0]["custom_id"].endswith("-0")


def test_a_list_is_signed_with_its_query() -> None:
    service = FakeService([answer({"data": [], "has_more": False})])
    assert list(speak(service).jobs("msgbatch_9")) == []
    (sent,) = service.sent
    assert sent.url.endswith("?limit=100&after_id=msgbatch_9")
    checked(sent)


def test_a_profile_that_signs_takes_no_key_and_one_with_a_key_no_signer() -> None:
    with pytest.raises(InvalidArgumentError, match="needs a RequestSigner"):
        BatchClient("sk", URL, profile="anthropic-aws")
    with pytest.raises(InvalidArgumentError, match="needs an API key"):
        BatchClient(RoleSigner(), URL, profile="anthropic")


def test_a_header_that_the_service_needs_must_be_given() -> None:
    with pytest.raises(InvalidArgumentError, match="needs the header anthropic-workspace-id"):
        BatchClient(RoleSigner(), URL, profile="anthropic-aws", headers={"anthropic-beta": "x"})


@pytest.mark.parametrize(
    ("given", "token"), [("AKIAOTHER0001:abc/+=d", None), ("ASIAOTHER0001:abc/+=d:tok/+=en", "tok/+=en")]
)
def test_an_access_key_that_is_given_signs_in_place_of_the_role(given: str, token: str | None) -> None:
    told = RoleSigner(lambda: given).sign("bedrock", "GET", "https://bedrock.us-east-1.amazonaws.com/", {}, "00")
    assert f"Credential={given[:13]}/" in told["Authorization"]
    assert told.get("X-Amz-Security-Token") == token
    assert "abc/+=d" not in str(told)


def test_a_region_that_is_given_holds_where_the_address_names_none() -> None:
    assert region_of("http://127.0.0.1:9/v1", "eu-north-1") == "eu-north-1"
    assert region_of(URL, "eu-north-1") == REGION


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, REGION),
        ("https://bedrock-runtime.us-gov-west-1.amazonaws.com/openai/v1", "us-gov-west-1"),
        ("https://vpce-0a1b2c-3d4e.bedrock.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"),
    ],
)
def test_a_region_is_that_of_the_host(url: str, region: str) -> None:
    assert region_of(url) == region


def test_an_address_that_names_no_region_is_mended_by_an_operator_but_an_emulator_needs_none() -> None:
    assert region_of("http://127.0.0.1:4510/v1") == "us-east-1"
    with pytest.raises(InvalidArgumentError, match="names no region"):
        region_of("https://gateway.example.com/v1")


def test_the_name_of_a_model_is_quoted_once_in_the_url_and_twice_in_what_is_signed() -> None:
    service = FakeService([answer({})])
    session = requests.Session()
    session.mount("https://", service)
    client = BatchClient(RoleSigner(), f"https://bedrock.{REGION}.amazonaws.com", session=session, profile="bedrock")
    BedrockDialect(client).send("/model/amazon.nova-lite-v1:0/converse", b"{}")
    (sent,) = service.sent
    assert sent.url == f"https://bedrock-runtime.{REGION}.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse"
    headers = {name.lower(): value for name, value in sent.headers.items()} | {"host": urlsplit(sent.url).netloc}
    twice = Sent(sent.method, sent.url.replace("%3A", "%253A"), sent.headers, sent.body)
    assert headers["authorization"].endswith(f"Signature={signature(twice, headers, 'bedrock')}")


def test_without_credentials_the_operator_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = role(monkeypatch, lambda: None)
    with pytest.raises(KeyMissing, match="no credentials of AWS") as refused:
        signer.sign(SERVICE, "GET", URL, {}, "")
    assert after_failed_call(refused.value) is Reaction.PAUSE


def test_a_failure_to_get_credentials_is_a_failure_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MetadataRetrievalError(error_msg="no answer")

    with pytest.raises(StoreError, match="no answer"):
        role(monkeypatch, fail).sign(SERVICE, "GET", URL, {}, "")


def test_credentials_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found, sessions = Credentials("AKIAMADEUP", SECRET), itertools.count()
    signer = role(monkeypatch, lambda: found, sessions)
    for _ in range(3):
        signer.sign(SERVICE, "GET", URL, {}, "")
    assert next(sessions) == 1


def role(
    monkeypatch: pytest.MonkeyPatch, get_credentials: Callable[[], object], sessions: Iterator[int] | None = None
) -> RoleSigner:
    """Make a signer whose sessions get their credentials so; each session is counted."""

    def session() -> SimpleNamespace:
        next(sessions or itertools.count())
        return SimpleNamespace(get_credentials=get_credentials)

    monkeypatch.setattr(boto3, "Session", session)
    return RoleSigner()
