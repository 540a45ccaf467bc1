"""Benches. They print tables and keep raw results; nothing here passes or fails."""
