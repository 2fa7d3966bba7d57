from batchyard.domain.tokens import estimated


def test_four_bytes_are_one_token_and_a_rest_is_one_more() -> None:
    assert [estimated(size) for size in (0, 1, 4, 5, 400)] == [0, 1, 1, 2, 100]
