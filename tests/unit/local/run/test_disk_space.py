import pytest

from local.errors import UsageError
from local.run.disk_space import check_disk_space

GB = 1_000_000_000


def test_an_input_that_fits_is_not_remarked_upon() -> None:
    told: list[str] = []
    check_disk_space(3 * GB, told.append, 6 * GB)
    assert told == []


def test_an_input_that_may_not_fit_is_told_of() -> None:
    told: list[str] = []
    check_disk_space(3 * GB, told.append, 5 * GB)
    assert [text.startswith("The input may need up to 6.0 GB below ") for text in told] == [True]
    assert told[0].endswith(", where 5.0 GB are free.")


def test_an_input_that_cannot_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"needs more than 3\.0 GB below .*, where 2\.0 GB are free"):
        check_disk_space(3 * GB, print, 2 * GB)
