"""Anthropic's Message Batches and its single messages, with failures to order.

The routes are below `/v1/messages`, beside those of OpenAI's API, and play the same scenario.
"""
