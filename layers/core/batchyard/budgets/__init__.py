"""What a tenant may spend in a month, what it has spent, and the warnings on the way.

Other rooms import: spending, warnings.
"""
