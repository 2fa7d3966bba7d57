"""What AWS answers, in our own words."""

import pytest
from botocore.exceptions import ClientError

from batchyard.adapters.aws import translated
from batchyard.domain.errors import BatchyardError, NotFound, StaleRecord, StoreError


@pytest.mark.parametrize(
    ("code", "operation", "meaning"),
    [
        ("NoSuchKey", "GetObject", NotFound),
        ("AccessDenied", "GetObject", NotFound),  # a missing object, to those who may not list
        ("403", "HeadObject", NotFound),
        ("AccessDenied", "PutObject", StoreError),  # a grant is missing: no word about the input
        ("AccessDenied", "UploadPartCopy", StoreError),
        ("AccessDeniedException", "GetItem", StoreError),
        ("SlowDown", "PutObject", StoreError),
        ("ConditionalCheckFailedException", "PutItem", StaleRecord),
    ],
)
def test_an_error_is_named_by_its_code_and_its_call(code: str, operation: str, meaning: type[BatchyardError]) -> None:
    with pytest.raises(meaning, match=f"trying: AWS answered {code}") as raised, translated("trying"):
        raise ClientError({"Error": {"Code": code}}, operation)
    assert type(raised.value) is meaning
