"""Message batches as Anthropic's API has them: what a request, a batch, a result and an error are there; no I/O.

Other rooms import: envelope, requests, result_lines, results, shapes.
"""
