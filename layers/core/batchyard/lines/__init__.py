"""Lines as bytes: parsed, indexed by shard, written as sorted runs and merged, in bounded memory.

Other rooms import: blocks, byte_ranges, file_kinds, line, merging, model_lines, model_urls, runs, service_tier, shard_lines,
successes, unanswered_shards, unfinished.
"""
