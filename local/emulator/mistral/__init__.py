"""Mistral's batch jobs and its files, which the emulator has with `"service": "mistral"`.

Source: mistralai (Python) 3.7.0; docs.mistral.ai, capabilities/batch and resources/known-limitations, 2026-08. Where these say
nothing, the emulator is strict: a line has `custom_id` and `body` alone, and a request that never ran stands in no file.
"""
