"""The AWS of the local stack: ministack on one loopback port, with the mends that template.yaml needs.

Only this package knows ministack; the rest of the project uses boto3 with the address of the engine. The package imports
nothing else of `local`. `python -m local.engine` serves it. Other rooms import this module alone.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from local.engine.layers import KEPT_LAYERS


class Credentials(NamedTuple):
    """An access key of AWS."""

    #: The id of the key.
    access_key_id: str
    #: The secret of the key.
    secret_access_key: str


REGION = "us-east-1"
CREDENTIALS = Credentials("test", "test")  # the engine's root user
_KEPT_FROM_HOST = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV"),
    # a real provider may be behind a proxy or a private certificate authority
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)


def endpoint_url(port: int) -> str:
    """Return the engine's address."""
    return f"http://127.0.0.1:{port}"


def client_environment(endpoint_url: str) -> dict[str, str]:
    """Return the variables with which boto3 uses the engine, and no configuration of the user."""
    return {
        "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def environment(port: int, scratch: Path, layers: Path, host: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of the engine's process, which the Lambda workers inherit; `layers` is kept for later runs.

    The environment keeps of `host` only what programs need to run. No credential and no AWS setting of the user reaches
    a function.
    """
    kept = {name: host[name] for name in _KEPT_FROM_HOST if name in host}
    return {
        **kept,
        **client_environment(endpoint_url(port)),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true",  # roles are enforced: a permission that the template lacks fails here, too
        "LAMBDA_WARM_TTL_SECONDS": "20",  # a burst leaves idle workers, which ministack keeps for minutes otherwise
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",  # no invocation is refused: `local.engine.places` lets them wait
        "DOCKER_HOST": "unix:///nonexistent",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "TMPDIR": str(scratch),
        "STATE_DIR": str(scratch / "state"),
        "S3_DATA_DIR": str(scratch / "s3"),
        KEPT_LAYERS: str(layers),
        "LOG_LEVEL": "INFO",
    }
