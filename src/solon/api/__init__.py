"""What ``solon`` offers to Python: each verb of the command line as a call, and each stage on plain objects.

``solon`` itself names all of it and imports one when it is used.
"""
