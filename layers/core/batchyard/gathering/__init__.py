"""Many small files become one batch: a firing takes all files of a gather folder that no batch has yet.

Other rooms import: fire, gather.
"""
