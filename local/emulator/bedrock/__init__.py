"""Amazon Bedrock's two kinds of batches and its single requests, with failures to order.

Its jobs and single requests are at the root of the emulator, as AWS has them at hosts of their own; OpenAI's batches are below
`/openai/v1`. Both read inputs from S3, and write results there: that of the address that the emulator was told.
"""
