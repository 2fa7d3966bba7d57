"""One batch end to end on a running stack: the input, the progress, the results, and what a stop leaves.

Other rooms import: announce, cancel_all, disk_space, money, one_batch, out_folder, paths, provider_check, status.
"""
