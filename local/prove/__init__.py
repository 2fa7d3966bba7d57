"""`make prove`: a small paid run at a real service, which shows what of its row of facts holds.

A few jobs go through the service's dialect alone: no stack, no AWS. What the run may cost is said first, and nothing is made
before a person has said yes.
"""
