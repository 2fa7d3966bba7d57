"""Check that the user's own provider answers at its address, before anything is built or sent."""

from collections.abc import Callable
from urllib.parse import urlsplit

from batch_client import (
    APIConnectionError,
    APIStatusError,
    BatchClientError,
    InvalidArgumentError,
    NotFoundError,
    choose_profile,
    speak,
)
from local.errors import ProviderError
from local.run.base_urls import likely_urls, swapped_scheme
from local.signals import TookTooLong, bounded
from local.stack.provider_choice import Provider, cannot_reach_objects

_REFUSALS = (401, 403)
_NOT_LISTED, _TOO_MANY = 405, 429
_GUESS_SECONDS = 3.0
_MOST_SECONDS = 30.0  # of the whole check: a server may send its answer byte by byte, for ever
_NO_KEY = "none"  # the user's key is for the address that the user wrote, and for no guess
_EXAMPLE = "A base URL mostly ends with /v1, such as https://api.openai.com/v1"
_OF_BEDROCK = "The address of Amazon Bedrock has no path, such as https://bedrock.us-east-1.amazonaws.com"


def check_provider(provider: Provider, say: Callable[[str], None]) -> None:
    """Ask the provider for its batches; a provider that only cannot list them now, or at all, is accepted.

    Raises:
        ProviderError: nothing answers at the address, no batch API does, or the provider refuses the key.

    """
    if provider.reads_objects and not provider.is_here:
        raise ProviderError(f"{cannot_reach_objects(provider)} Nothing was sent.")
    if complaint := complaint_of(provider, say):
        raise ProviderError(f"{complaint} Nothing was sent.")


def complaint_of(provider: Provider, say: Callable[[str], None]) -> str:
    """Ask the provider for its batches, and say why it cannot be used; an empty text if it can."""
    try:
        with bounded(_MOST_SECONDS):
            return _ask(provider, say)
    except TookTooLong:
        return f"No whole answer came from {provider.url} within {_MOST_SECONDS:.0f} seconds."


def _ask(provider: Provider, say: Callable[[str], None]) -> str:
    """Say why the provider cannot be used; an empty text if it can."""
    try:
        with provider.client() as client:
            next(speak(client, "").jobs(), None)
    except InvalidArgumentError as error:
        return f"{provider.url} cannot be used: {error.message}."
    except BatchClientError as error:
        complaint = _complaint(provider, error)
        if not complaint and isinstance(error, APIStatusError) and _is_busy(error):
            say(f"{provider.url} answers HTTP {error.status} just now. The run waits for it; Ctrl-C ends the run.")
        return complaint or ""
    return ""


def _complaint(provider: Provider, error: BatchClientError) -> str | None:
    """Say why the provider cannot be used; None if it can, though it does not list its batches."""
    if isinstance(error, APIStatusError) and error.status in _REFUSALS:
        key = f"the api_key of {provider.name} in PROVIDERS" if provider.name else "PROVIDER_API_KEY"
        key = f"the signature of our requests, which are signed by {provider.signed_by}" if provider.signer else key
        return f"{provider.url} refused {key} (HTTP {error.status})."
    if isinstance(error, APIConnectionError) and error.status is None:
        why = error.message.rpartition(": ")[2]
        nothing = f"Nothing answers at {provider.url} ({why})"
        meant = "" if "certificate" in why else _first_that_answers([swapped_scheme(provider.url)], provider)
        return (
            f"{nothing}, but a batch API does at {meant}. Write: {_written(meant, provider)}."
            if meant
            else f"{nothing}. Is it up?"
        )
    if _may_be_an_api(error) or _lists_inputs(provider):
        return None
    return _no_api(provider, error)


def _may_be_an_api(error: BatchClientError) -> bool:
    """Tell whether a failed look says nothing against the address: the provider is busy, broken or lists no batches."""
    return isinstance(error, APIStatusError) and (error.status == _NOT_LISTED or _is_busy(error))


def _is_busy(error: APIStatusError) -> bool:
    return error.status == _TOO_MANY or (error.status or 0) >= 500


def _lists_inputs(provider: Provider) -> bool:
    """Tell whether it lists inputs, which shows that it has a batch API; a service that keeps none cannot show it."""
    try:
        with provider.client() as client:
            if not client.profile.upload_path:
                return False
            next(speak(client, "").inputs(), None)
    except BatchClientError:
        return False
    return True


def _no_api(provider: Provider, error: BatchClientError) -> str | None:
    meant = _first_that_answers(likely_urls(provider.url), provider)
    if meant:
        return f"{provider.url} is not the base URL of a batch API, but {meant} is. Write: {_written(meant, provider)}."
    if isinstance(error, NotFoundError) and error.code:
        return None  # an API that words its refusals as OpenAI does
    how = f"HTTP {error.status}" if error.status not in (None, 200) else "its answer is no list of batches"
    return f"No batch API answers at {provider.url} ({how}). {_example(provider)}."


def _example(provider: Provider) -> str:
    profile = choose_profile(provider.profile or None, provider.url)
    if profile.dialect == "bedrock":
        return _OF_BEDROCK
    has_root = profile.root and urlsplit(provider.url).path.strip("/")
    return f"The API of {profile.title} begins at {profile.root}" if has_root else _EXAMPLE


def _first_that_answers(urls: list[str], provider: Provider) -> str:
    """Return the first address at which a batch API answers; an empty text if there is none."""
    return next(
        (url for url in urls if _answers(Provider(url, _NO_KEY, provider.profile, headers=provider.headers))), ""
    )


def _answers(guess: Provider) -> bool:
    try:
        with guess.client(_GUESS_SECONDS) as client:
            next(speak(client, "").jobs(), None)
    except BatchClientError as error:
        return isinstance(error, APIStatusError) and error.status in _REFUSALS
    return True


def _written(url: str, provider: Provider) -> str:
    return f'"base_url": "{url}" for {provider.name} in PROVIDERS' if provider.name else f"PROVIDER_BASE_URL={url}"
