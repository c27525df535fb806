"""A world of dialogues: plans that people make, how they talk about them, and summaries of what they said."""
