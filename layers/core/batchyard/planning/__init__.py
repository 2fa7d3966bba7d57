"""An upload becomes a batch; its input is checked and cut into shards.

Other rooms import: intake, new_batch, options, plan, summary, skipped.
"""
