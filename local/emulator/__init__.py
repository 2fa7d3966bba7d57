"""An emulator of a batch provider: OpenAI's files, uploads and batches API on 127.0.0.1, with failures to order.

The emulator imports nothing of this project. It shares no code with the client that is tested against it, so one
misreading of the API cannot be in both. `python -m local.emulator` starts it; docs/emulator.md is its page.
"""
