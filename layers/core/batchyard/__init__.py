"""Batchyard: any number of requests through half-price batch APIs, one answer per request, in input order."""

__version__ = "0.1.0"
