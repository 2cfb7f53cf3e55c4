"""Finite automata over characters: what a template's text can be."""
