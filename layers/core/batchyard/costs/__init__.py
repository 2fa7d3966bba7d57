"""What tokens cost: price lists, and dollars as whole numbers; no I/O but the list of the package.

Other rooms import: bill, budget, cost, prices, usage.
"""
