"""Statistics that more than one part of solon rests on. Pure: numbers in, numbers out, seeded where drawn."""
