"""Batches by the clock: schedules, and the firings that make their batches.

Other rooms import: changes, requests, trigger, upkeep.
"""
