"""Reaching servers of other people: addresses are distrusted, time is bounded, keys are pinned."""
