"""The migration itself: pure, standard library only."""
