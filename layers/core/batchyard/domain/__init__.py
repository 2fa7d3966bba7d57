"""What a batch, a shard and a line's outcome are, and what may happen to them; no input, no output, no clock."""
