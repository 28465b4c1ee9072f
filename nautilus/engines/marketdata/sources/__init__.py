"""Data that others publish over REST, behind one interface: where each number is from, how old, known since when."""
