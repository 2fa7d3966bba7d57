"""What is inside a batch, for people and programs that look: its shards, its errors, and its lines with their answers.

Other rooms import: answer_runs, error_list, file_page, line_page, sent_lines, shard_list.
"""
