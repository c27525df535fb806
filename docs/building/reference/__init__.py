"""The reference pages, written from the code by ``make reference``: Markdown, so that a code host shows it too."""
