"""Inputs and results that lie in a store of the caller's, which the service reads and writes by itself.

A result lies in a folder beside its input, and the id of the job is the name of that folder.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ..dialect import Input, Prepared
from ..errors import InvalidArgumentError, NotFoundError
from ..objects import Objects

INPUT, RESULT, ERRORS, MANIFEST = ".jsonl", ".jsonl.out", ".jsonl.err", "manifest.json.out"
_STORE: Final = "This service reads and writes objects of S3 by itself: give `speak` the `objects` of a bucket"
_ROLE: Final = (
    "No role is known by which the service reads and writes the bucket: name its ARN as `role` of the provider, or have the "
    "stack make one; see docs/providers.md"
)


class Store:
    """The objects of one provider; a call that needs them is refused where there are none."""

    def __init__(self, objects: Objects | None) -> None:
        self._given = objects

    @property
    def is_given(self) -> bool:
        """Tell whether there are objects."""
        return self._given is not None

    @property
    def objects(self) -> Objects:
        """Return the objects, or raise InvalidArgumentError."""
        if self._given is None:
            raise InvalidArgumentError(_STORE)
        return self._given

    def role(self) -> str:
        """Return the role with which the service comes, or raise InvalidArgumentError."""
        if role := self.objects.role:
            return role
        raise InvalidArgumentError(_ROLE)

    def prepare(self, filename: str, chunks: Iterable[bytes]) -> Prepared:
        """Write an input; nothing is written where no role could read it."""
        if not filename.endswith(INPUT):
            raise InvalidArgumentError(f"{filename[:64]!r} does not end with {INPUT}, as an input must here")
        self.role()
        return Prepared(self.objects.put(filename, chunks))

    def results(self, folder: str, *ends: str) -> tuple[str, ...]:
        """List the results that lie in the folder of a job, in the order of their `ends`."""
        there = sorted(each.address for each in self.objects.list(folder)) if folder else []
        return tuple(name for end in ends for name in there if name.endswith(end))

    def forget(self, name: str) -> bool:
        """Delete an input or a result; False if it was gone already. With a result goes the manifest beside it."""
        try:
            if name.endswith(RESULT):
                self.objects.delete(f"{name.rpartition('/')[0]}/{MANIFEST}")
            return self.objects.delete(name)
        except NotFoundError:
            return False

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the inputs behind one of them, newest first; a store lists by names, so all are read."""
        found = [each for each in self.objects.list() if each.address.endswith(INPUT)]
        found.sort(key=lambda each: (each.created_at, each.address), reverse=True)
        names = [each.address for each in found]
        for each in found[names.index(after) + 1 :] if after in names else found:
            yield Input(each.address, each.address.rpartition("/")[2], each.created_at)


def folder_of(address: str | None, job_id: str) -> str:
    """Return the folder of the results of a job whose input has this address; empty where the input is not known."""
    above = (address or "").rpartition("/")[0]
    return f"{above}/{job_id}" if above else ""
