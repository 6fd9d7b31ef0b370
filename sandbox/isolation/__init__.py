"""Confining a process by tiers of isolation: namespaces, Landlock rules, system-call filters, limits."""
