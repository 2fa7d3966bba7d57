"""One shard at the provider, until every line has its outcome.

Other rooms import: submit, poll, collect, cancel, fail, continue_as_new, provider_files, unanswered.
"""
