"""Answers with parts: lists, sets, tuples, intervals, equations and inequalities."""
