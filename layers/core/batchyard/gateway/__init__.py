"""Requests and responses of API Gateway, and which operation answers a request; no I/O.

Other rooms import: content, form, paging, request, response, router.
"""
