"""What one provider batch takes."""

from dataclasses import dataclass

from batchyard.domain.token_limits import estimated


@dataclass(frozen=True)
class Limits:
    """Requests, bytes of upload, inputs of embeddings requests, and prompt tokens, at most.

    Tokens are estimated; 0 is no limit, and a line that is over it alone has a shard of its own.
    """

    requests: int
    bytes: int
    embedding_inputs: int
    tokens: int = 0

    def fit(self, requests: int, size: int) -> bool:
        """Tell whether so many requests of so many bytes together are within the limits."""
        tokens_fit = not self.tokens or estimated(size) <= self.tokens
        return requests <= self.requests and size <= self.bytes and tokens_fit
