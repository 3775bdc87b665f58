"""Connections to partners' servers: addresses are checked, time is bounded, keys are pinned."""
