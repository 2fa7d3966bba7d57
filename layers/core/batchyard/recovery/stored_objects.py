"""Bytes below `files/` that nobody needs any more: of files that ended, and of objects that no record owns.

The bytes of a deleted or expired file stay while a batch may read them; then they are removed for good. A walk over all
versions finds what no record tells: its rests are those of the walk over the inbox, for the same reasons.
"""

from typing import Final

from batchyard.adapters.file_bucket import ObjectVersion
from batchyard.domain import object_keys
from batchyard.domain.errors import NotFound
from batchyard.domain.stored_file import StoredFile
from batchyard.recovery.missed_uploads import rest
from batchyard.recovery.ownership import LATEST_RECORD
from batchyard.recovery.sweep_run import SweepRun

BOOKMARK: Final = "files"


def release_ended(run: SweepRun, tenant: str) -> None:
    """Remove the bytes of a tenant's files that ended and that no batch reads."""
    for file in run.services.file_store.stored(tenant):
        if run.over():
            return
        if not object_keys.owner_of_file(file.key) or not _may_go(run, file):
            continue
        if file.version_id is not None:
            _release(run, file, file.version_id)
        elif file.multipart_id is not None:  # its parts came, or some of them, and were never joined
            run.services.file_bucket.abort(file, file.multipart_id)
            _note(run, file)


def remove_unowned(run: SweepRun) -> None:
    """Remove the versions that no record owns; a walk goes on where the last run stopped."""
    store, now = run.services.sweep_store, run.services.now()
    mark = store.bookmark(BOOKMARK)
    if now < mark.get("rest_until", 0):
        return
    after, requests, look_ups = mark.get("after", ""), mark.get("requests", 0), mark.get("look_ups", 0)
    for page in run.services.file_bucket.versions(object_keys.FILES, after):
        requests += 1
        for version in page:
            if run.over():
                store.keep_bookmark(BOOKMARK, {"after": after, "requests": requests, "look_ups": look_ups})
                return
            with run.trying(key=version.key):
                look_ups += _judge(run, version)
            after = version.key
    store.keep_bookmark(BOOKMARK, {"rest_until": now + rest(requests, look_ups)})


def _judge(run: SweepRun, version: ObjectVersion) -> bool:
    """Remove a version that nobody owns or reads; tell whether records were looked up."""
    owner = object_keys.owner_of_file(version.key)
    if owner is None or run.services.clock() - version.at.timestamp() < LATEST_RECORD:
        return False  # a person put it there, or a worker may be about to record it
    file = _recorded(run, owner[1])
    if file is not None and file.version_id == version.version_id:
        if _may_go(run, file):
            _release(run, file, version.version_id)
    elif file is None or not _holds(run, file):
        _remove_other(run, owner[0], version)
    return True


def _recorded(run: SweepRun, file_id: str) -> StoredFile | None:
    try:
        return run.services.file_store.file(file_id)
    except NotFound:
        return None


def _holds(run: SweepRun, file: StoredFile) -> bool:
    """Tell whether a version that the record does not name may be its bytes, or hold their place."""
    now = run.services.now()
    return file.writable(now) or (file.version_id is None and file.there(now))


def _may_go(run: SweepRun, file: StoredFile) -> bool:
    return file.over_for(LATEST_RECORD, run.services.now()) and not _is_read(run, file.tenant, file.key)


def _is_read(run: SweepRun, tenant: str, key: str) -> bool:
    if tenant not in run.inputs:
        run.inputs[tenant] = None  # as long as a record among them cannot be read, everything may be read
        run.inputs[tenant] = frozenset(batch.input.key for batch in run.services.batch_store.open_of(tenant))
    keys = run.inputs[tenant]
    return keys is None or key in keys


def _release(run: SweepRun, file: StoredFile, version_id: str) -> None:
    run.services.file_bucket.remove(file.key, version_id)
    _note(run, file)


def _note(run: SweepRun, file: StoredFile) -> None:
    services = run.services
    if services.file_store.note_removal(file, services.now()):
        services.quota_store.give_back(file.tenant, file.bytes, services.now())
        run.count("StoredFilesRemoved", file_id=file.file_id, bytes=file.bytes)


def _remove_other(run: SweepRun, tenant: str, version: ObjectVersion) -> None:
    if not _is_read(run, tenant, version.key):
        run.services.file_bucket.remove(version.key, version.version_id)
        run.count_many("StoredFilesRemoved", int(version.size > 0), key=version.key, bytes=version.size)
