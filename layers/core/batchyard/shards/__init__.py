"""One shard at the provider, until every line has its outcome.

Other rooms import: submit, poll, collect, cancel, fail, lost_create, provider_files, unanswered_lines.
"""
