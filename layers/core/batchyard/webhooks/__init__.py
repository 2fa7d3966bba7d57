"""The provider tells us that a batch has ended; we tell the tenants.

Other rooms import: receive, notify, deliver.
"""
