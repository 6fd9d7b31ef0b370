"""Shutting a process in: tiers, system-call filters, Landlock rules, scratch folders."""
