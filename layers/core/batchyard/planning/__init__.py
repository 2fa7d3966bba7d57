"""An upload becomes a batch; the input is checked and cut into shards.

Other rooms import: intake, new_batch, options, plan, retry, skipped, summary, taken_over.
"""
