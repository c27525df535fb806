"""Self-play: answering, judging, and learning in rounds."""
