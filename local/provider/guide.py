"""The text of `python -m local.provider --help`: what the emulator is and how failures are ordered."""

GUIDE = """\
A stand-in for a batch provider: OpenAI's Files and Batches APIs on 127.0.0.1."""
