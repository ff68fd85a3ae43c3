"""Dewpoint: dense passage retrievers, from raw text to a measured index."""
