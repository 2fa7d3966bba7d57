"""The whole API of a deployed Batchyard on 127.0.0.1, for tools that know no other way to send a file than POST /v1/files.

`python -m local.bridge` serves it. A large form is written to disk as it comes, and its file goes on to S3 by presigned
addresses. Large content comes back without a redirect. Everything else passes through. The package imports nothing else of
`local`: of other packages, it needs requests and python-multipart.
"""
