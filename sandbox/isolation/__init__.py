"""Confining a process: the tiers, system-call filters, Landlock rules, namespaces and scratch folders."""
