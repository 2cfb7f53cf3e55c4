"""Tests of keyshift."""
