"""What the tiny models of this example are asked, what they have read, and how they are made."""
