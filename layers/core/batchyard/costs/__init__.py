"""What tokens cost: price lists, and dollars as whole numbers; no I/O but the list of the package.

Other rooms import: answer_usage, bill, budget, cost, native_usage, price_list, prices, usage.
"""
