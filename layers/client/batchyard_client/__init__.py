"""The front to Batchyard for people: one command, one Python call."""
