"""The chat of the Channels tutorial: a JSON consumer and a group for each pair."""
