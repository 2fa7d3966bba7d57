"""The console for a browser: static files, and the headers under which a browser runs them; no I/O but those files.

Other rooms import: site.
"""
