"""The formats in which the sandbox's processes exchange data: plain values, records in files, messages."""
