"""The providers of this stack: what the settings say of each, and all that one of them needs of its own.

Other rooms import: account, entries, limits, routing, windows.
"""
