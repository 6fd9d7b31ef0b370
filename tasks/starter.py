"""The files that `markscheme init` writes: a commented task, example rows and labelled cases."""

TASK = """\
# To check the task:          markscheme check NAME.yaml
# To score completions by it:  markscheme score NAME.yaml completions.jsonl -o scores.jsonl
# For all keys (JSON Schema):  markscheme schema
name: NAME
version: 1
description: What is asked, in one sentence
# The rows: a local .jsonl, .json, .csv or .parquet file, a folder of such files, the id of a Hugging Face data
# set, or {generator: ..., limit: ...}. `held_out` is the share of rows that become the split `test`; they are
# chosen by a hash of the prompt, so adding rows moves no other row to the other side.
data: {path: NAME.jsonl, held_out: 0.5}
# How a row becomes a problem: jinja2 templates over the row's columns.
problem:
  prompt: "{{ question }}"
  reference: "{{ answer }}"
# A system message needs a chat model; remove it for a model without a chat template.
system: Think between <think> and </think>, then put the final answer in \\boxed{}.
# How the final answer is found. strict: in an <answer> tag or a box; lenient: anything that looks like a final
# answer; or a list of rules.
extract: strict
rewards:
  correct: {use: answer, weight: 1.0}
  # Counts only where the answer is correct; otherwise the policy could learn the format alone.
  format: {use: think_answer, weight: 0.1, when: correct}
  # A reward of your own, the function `brevity` in NAME.py:
  # brevity: {use: "NAME.py:brevity", weight: 0.1, target: 200}
# Scored and logged but never trained on. Training raises an alarm when the rewards and it drift apart, which is
# a sign of reward hacking.
# watch: {truth: {use: exact_match}}
# A rule or a model that marks the steps of a completion. `markscheme score` shows the marks, and a run with
# `algorithm.mode: process` learns from them.
# process: {use: step_checker, check: arithmetic, split: lines}
"""

ROWS = """\
{"question": "What is 12 + 30?", "answer": "42"}
{"question": "A book costs $3.50. What do four cost?", "answer": "$14"}
{"question": "What is one half of one third?", "answer": "1/6"}
{"question": "What is 25% of 80?", "answer": "20"}
"""

CASES = """\
{"question": "What is 12 + 30?", "answer": "42", "completion": "<think>12 and 30</think>\\\\boxed{42}", "correct": true}
{"question": "What is 12 + 30?", "answer": "42", "completion": "<think>it is \\\\boxed{42}</think>42", "correct": false, "tags": ["box in the thinking part"]}
{"question": "What is 12 + 30?", "answer": "42", "completion": "<think>so</think>\\\\boxed{42 or 43}", "correct": false, "tags": ["hedge"]}
{"question": "What is one half of one third?", "answer": "1/6", "completion": "<think>so</think>\\\\boxed{\\\\frac{1}{6}}", "correct": true}
"""
