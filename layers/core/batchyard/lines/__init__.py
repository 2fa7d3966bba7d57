"""Lines as bytes: parsed, indexed by shard, written as sorted runs and merged, in bounded memory."""
