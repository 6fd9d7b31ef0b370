"""What the sandbox's processes say to each other: plain data, records, messages."""
