"""Several trainers on one recipe, side by side: `solon compare`."""
