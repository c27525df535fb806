"""``solon init``: a new project that runs, of one of several templates."""

from solon.project.creating import Created, create
from solon.project.here import Here
from solon.project.templates import TEMPLATES, Template

__all__ = ["TEMPLATES", "Created", "Here", "Template", "create"]
