"""Batchyard on one machine: the engine, the provider emulator, and the commands of the Makefile."""
