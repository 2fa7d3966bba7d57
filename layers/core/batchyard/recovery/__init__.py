"""What events and executions left undone, found again by the sweep.

Other rooms import: sweep, advance.
"""
