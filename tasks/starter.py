"""What `markscheme init` writes: a commented task, example rows and labelled cases."""

TASK = """\
# Check it:  markscheme check NAME.yaml
# Mark with it:  markscheme score NAME.yaml completions.jsonl -o scores.jsonl
name: NAME
version: 1
description: What is asked, in one sentence
# Rows: a local .jsonl/.json/.csv/.parquet file or folder, a hub id, or {generator: ..., limit: ...}.
# held_out keeps a share of the rows, chosen by a hash of their content, as the split `test`.
data: {path: NAME.jsonl, held_out: 0.25}
# How a row becomes a problem: jinja2 over the row's columns.
problem:
  prompt: "{{ question }}"
  reference: "{{ answer }}"
# Needs a chat model; drop it for a model without a chat template.
system: Think between <think> and </think>, then put the final answer in \\boxed{}.
# strict: a tag or a box; lenient: anything that looks like an answer; or a list of rules.
extract: strict
rewards:
  correct: {use: answer, weight: 1.0}
  # Pays only together with a right answer, or format would be worth learning on its own.
  format: {use: think_answer, weight: 0.1, when: correct}
  # Your own:  brevity: {use: "NAME.py:brevity", weight: 0.1, target: 200}
# Scored and logged, never trained on: an alarm is raised when a reward parts from it.
# watch: {truth: {use: exact_match}}
# What marks the steps: `score` marks them too, and with algorithm.mode: process a run learns from them.
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
