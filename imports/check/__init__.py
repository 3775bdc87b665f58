"""Are the values right: the header against the feed, then types, rules and keys by column. Pure."""
