"""Data out of solon and into it: the layouts of other libraries, and datasets and models on a hub."""
