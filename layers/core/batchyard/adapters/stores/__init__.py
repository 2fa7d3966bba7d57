"""The records in DynamoDB: each store reads and writes records of one kind, and `table` is what they have in common."""
