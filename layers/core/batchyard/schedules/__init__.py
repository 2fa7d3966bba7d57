"""Batches by the clock: schedules, and the firings that make their batches.

Other rooms import: requests, trigger, upkeep.
"""
