"""The provider tells us that a batch has ended; we tell the tenants, and people by mail and in a chat.

Other rooms import: owners, receive, rules, notify, deliver, inform.
"""
