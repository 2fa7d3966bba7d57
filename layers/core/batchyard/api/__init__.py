"""The HTTP API in OpenAI's shape.

Other rooms import: app.
"""
