"""A stand-in for a batch provider: the OpenAI Files and Batches APIs on 127.0.0.1, with failures on order.

It shares no code with the client it is used to test, so a misreading of the API cannot hide on both sides.
"""
