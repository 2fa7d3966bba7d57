"""The shards' answers put together in input order, and the proof that none is missing.

Other rooms import: assemble.
"""
