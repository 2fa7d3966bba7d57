"""Check that the user's own provider answers, before anything is built or sent."""

from batch_client import APIConnectionError, APIStatusError, InvalidArgumentError, ProtocolError
from local.errors import ProviderError
from local.stack.provider_choice import Provider

_REFUSALS = (401, 403)


def check_provider(provider: Provider) -> None:
    """Ask the provider for its batches, and accept any answer except a refused key.

    Raises:
        ProviderError: nothing answers at the address, or the provider refuses the key.

    """
    try:
        with provider.client() as client:
            client.list_batches(limit=1)
    except ProtocolError:
        return  # the provider answers, and may only be unable to list batches
    except APIConnectionError as error:
        if error.status is None:
            why = error.message.rpartition(": ")[2]
            raise ProviderError(f"Nothing answers at {provider.url} ({why}). Is it up? Nothing was sent.") from error
    except APIStatusError as error:
        if error.status in _REFUSALS:
            raise ProviderError(
                f"{provider.url} refused PROVIDER_API_KEY (HTTP {error.status}). Nothing was sent."
            ) from error
    except InvalidArgumentError as error:
        raise ProviderError(f"{provider.url} cannot be used: {error.message}. Nothing was sent.") from error
