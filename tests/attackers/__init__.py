"""What a stranger tries, class by class, through every door."""
