"""SQL as files: each engine reads its own."""
