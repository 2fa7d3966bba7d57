"""The keys of all objects in the data bucket, and the names of files at the provider."""

import hashlib
import re
from typing import Final

INBOX: Final = "inbox/"
FILES: Final = "files/"
GATHER: Final = "gather/"
RUN: Final = "RUN"  # an object of this name fires its gather folder
PROVIDERS: Final = "providers/"
# The names of the results of a batch.
OUTPUT: Final = "output.jsonl"
ERRORS: Final = "errors.jsonl"
MESSAGES: Final = "messages.jsonl"
REPORT: Final = "report.json"
FILE_ENTRIES: Final = "files.jsonl"  # of a gathered batch: what its report says of each file …
FILE_INDEX: Final = "files-index.json"  # … and where in it some of them stand
DEFAULT_TENANT: Final = "default"
LONGEST_KEY: Final = 1_024  # bytes, in S3
LONGEST_TENANT: Final = 256  # bytes
UNPRINTABLE: Final = "[\\x00-\\x1f\\x7f-\\x9f\\ufffe\\uffff]"  # XML has none of these, in which S3 lists keys
FOLDER: Final = r"gather/([^/]+)/([^/]+)/"
CLIMBING: Final = (".", "..")  # names that programs take for a way through folders
UPLOAD: Final = r"(batch_[0-9a-f]+)-([0-9]{5,9})-([0-9]{4,9})-[0-9]{1,9}"
FILE: Final = r"files/([^/]+)/(file-[0-9A-Za-z]{22})"
ATTEMPT: Final = r"(batch_[0-9a-f]+)/([0-9]{1,9})/([0-9]{1,9})"


def tenant_of(key: str) -> str:
    """Read the tenant from `inbox/<tenant>/…`; the default tenant if there is no such folder, or its name is too long."""
    tenant, slash, _ = key.removeprefix(INBOX).partition("/")
    short = len(tenant.encode()) <= LONGEST_TENANT  # a key of S3 has at most 1,024 bytes
    return tenant if slash and tenant and short else DEFAULT_TENANT


def sound_tenant(tenant: str) -> bool:
    """Tell whether a tenant may have this name: the name must be one folder of its own."""
    short = 0 < len(tenant.encode("utf-8", "replace")) <= LONGEST_TENANT
    return short and tenant.isprintable() and "/" not in tenant and tenant.strip() == tenant and tenant[0] not in "-."


def readable_by(tenant: str, key: str) -> bool:
    """Tell whether an input object belongs to the tenant."""
    return key.startswith(f"{FILES}{tenant}/") or (key.startswith(INBOX) and tenant_of(key) == tenant)


def gather_folder(tenant: str, name: str) -> str:
    """Name a gather folder; its files may lie deeper."""
    return f"{GATHER}{tenant}/{name}/"


def owner_of_folder(prefix: str) -> tuple[str, str] | None:
    """Read tenant and name from the prefix of a gather folder; None for any other prefix, as one that climbs."""
    found = re.fullmatch(FOLDER, prefix, re.DOTALL)
    return (found[1], found[2]) if found and found[2] not in CLIMBING else None


def folder_within(tenant: str, text: str) -> str | None:
    """Return the gather folder of the tenant with which a text begins, even without its last slash; None if there is none."""
    found = re.match(FOLDER, f"{text}/", re.DOTALL)
    return found[0] if found and found[1] == tenant and owner_of_folder(found[0]) else None


def own_folder(tenant: str, prefix: str) -> tuple[str, str]:
    """Read tenant and name from the prefix of a gather folder of the tenant; raises ValueError, which says what it must be."""
    owner, meant = owner_of_folder(prefix), folder_within(tenant, prefix)
    unprintable = re.search(UNPRINTABLE, prefix)
    too_long, no_text = len(prefix.encode("utf-8", "replace")) >= LONGEST_KEY, re.search("[\ud800-\udfff]", prefix)
    if owner is not None and owner[0] == tenant and not too_long and not no_text and not unprintable:
        return owner
    if no_text:
        remedy = "It holds half a character, which no key in S3 does"
    elif unprintable:
        remedy = "It holds control characters. Give it a name that can be printed"
    elif too_long:
        remedy = f"It has fewer than {LONGEST_KEY} bytes, as names of files follow"
    elif owner is not None:
        remedy = "This is a folder of another tenant"
    elif meant is not None:  # it lacks its last slash, or is a file or a folder in a gather folder
        remedy = f"Write '{meant}'"
    else:
        remedy = "The name is one folder, and neither '.' nor '..'"
    raise ValueError(f"must be {gather_folder(tenant, '<name>')}, with '/' at its end. {remedy}")


def counted_lines(prefix: str) -> str:
    """Name the counts of the lines that wait in a gather folder."""
    return _of_waiting(prefix, "")


def watched(watcher: str) -> str:
    """Name what whoever counts a gather folder again and again keeps of the last count."""
    return _of_waiting(watcher, "-look")


def _of_waiting(whose: str, what: str) -> str:
    # The name is that of a list of files in a plan: so the rights of who gathers, work/*/plan/files-*, hold for it.
    digest = hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()
    return f"work/waiting/plan/files-{digest}{what}.msgpack"


def result_of_file(tenant: str, batch_id: str, file: str, name: str) -> str:
    """Name a result of one file of a gathered batch, which lies in its folder as `file`."""
    return f"results/{tenant}/{batch_id}/files/{file}/{name}"


def why_without_results(tenant: str, batch_id: str, file: str) -> str | None:
    """Say why no results of a file of this name can be written; None if they can."""
    if re.search(UNPRINTABLE, file):
        return "The name of the file holds control characters. Give it a name that can be printed."
    over = len(result_of_file(tenant, batch_id, file, OUTPUT).encode()) - LONGEST_KEY
    return (
        f"The name of the file is {over} bytes too long for the key of its results. Give it a shorter one."
        if over > 0
        else None
    )


def file(tenant: str, file_id: str) -> str:
    """Name the object of a file of the HTTP API."""
    return f"{FILES}{tenant}/{file_id}"


def owner_of_file(key: str) -> tuple[str, str] | None:
    """Read tenant and file id from the key of a file's object; None for any other object, as one that a person put there."""
    found = re.fullmatch(FILE, key)
    return (found[1], found[2]) if found else None


def upload_part(upload_id: str, part_id: str) -> str:
    """Name the object of one part of a multipart upload."""
    return f"work/uploads/{upload_id}/{part_id}"


def result(tenant: str, batch_id: str, name: str) -> str:
    """Name a result: OUTPUT, ERRORS, MESSAGES or REPORT."""
    return f"results/{tenant}/{batch_id}/{name}"


def by_input(tenant: str, key: str) -> str:
    """Name the object that tells where the results of the upload `key` are."""
    return f"results/{tenant}/by-input/{key}.json"


def plan(batch_id: str, name: str) -> str:
    """Name an object of the plan."""
    return f"work/{batch_id}/plan/{name}"


def shard_lines(batch_id: str, shard: int) -> str:
    """Name the list of a shard's lines."""
    return f"work/{batch_id}/shards/{shard:05}/lines.msgpack"


def shard_left(batch_id: str, shard: int) -> str:
    """Name the list of a shard's lines without the skipped lines."""
    return f"work/{batch_id}/shards/{shard:05}/left.msgpack"


def skipped(batch_id: str, first: int, count: int) -> str:
    """Name the run of `count` skipped lines that begins at the position `first`."""
    return f"work/{batch_id}/plan/skipped-{first:012}-{count}"


def taken_over(batch_id: str, first: int, count: int) -> str:
    """Name the index of `count` answers that a retry takes over, the first of which has the position `first`."""
    return f"work/{batch_id}/plan/taken-{first:012}-{count}"


def attempt(batch_id: str, shard: int, number: int, runs: int, name: str) -> str:
    """Name an object that one attempt of a shard left; `runs`, the version of the shard, tells two workers apart."""
    return f"work/{batch_id}/shards/{shard:05}/attempt-{number:04}-{runs}/{name}"


def provider_filename(batch_id: str, shard: int, number: int, version: int, stack: str) -> str:
    """Name a file that one attempt of a shard uploads to the provider.

    The version of the shard is in it: where the name is the id, as in S3, whoever deletes an upload of before must not
    delete the next one.
    """
    return f"{batch_id}-{shard:05}-{number:04}-{version}.{stack}.jsonl"


def attempt_of_filename(filename: str, stack: str) -> tuple[str, int, int] | None:
    """Read batch, shard and attempt from the name of a file that this stack uploaded; None for any other."""
    found = re.fullmatch(UPLOAD, filename.removesuffix(f".{stack}.jsonl"))
    if found is None or not filename.endswith(f".{stack}.jsonl"):
        return None
    return found[1], int(found[2]), int(found[3])


def attempt_of(key: str) -> tuple[str, int, int] | None:
    """Read batch, shard and attempt from the key that a provider batch carries; None for any other text."""
    found = re.fullmatch(ATTEMPT, key)
    return (found[1], int(found[2]), int(found[3])) if found else None


def unanswered(batch_id: str, shard: int, version: int) -> str:
    """Name the run of the unanswered lines of a shard, as the shard's record of this version lists them."""
    return f"work/{batch_id}/shards/{shard:05}/left-{version}/errors"


def unanswered_shards(batch_id: str) -> str:
    """Name the list of the shards with unanswered lines."""
    return f"work/{batch_id}/shards/unanswered.msgpack"


def gathered(batch_id: str, digest: str) -> str:
    """Name a list of the files of a firing, by the digest of the list."""
    return f"work/{batch_id}/plan/files-{digest}.msgpack"


def file_table(batch_id: str) -> str:
    """Name what the plan has read of each file of a gathered batch."""
    return f"work/{batch_id}/plan/read.msgpack"


def file_counts(batch_id: str) -> str:
    """Name the counts of each file of a gathered batch, and how far its results are written."""
    return f"work/{batch_id}/results/files.msgpack"


def provider_folder(provider: str) -> str:
    """Name the folder of what a provider reads and writes in the bucket by itself; Bedrock takes few characters in a key."""
    return f"{PROVIDERS}{re.sub(r'[^a-zA-Z0-9._-]', '_', provider)}/"


def results_progress(batch_id: str) -> str:
    """Name the checkpoint of the results."""
    return f"work/{batch_id}/results/progress.msgpack"


def messages_progress(batch_id: str) -> str:
    """Name the checkpoint of the results in Anthropic's shape."""
    return f"work/{batch_id}/results/messages.msgpack"
