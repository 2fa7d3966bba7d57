"""Which answers count as success, where a batch asks for more than a status of 200.

Other rooms import: rules, schemas, verdict.
"""
