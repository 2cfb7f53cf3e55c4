"""Driving side: decode, call one use case, encode."""
