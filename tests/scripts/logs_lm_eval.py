"""Write the samples of lm-eval, by its own command line: eight questions, two filters, a scripted model.

Usage: logs_lm_eval.py FOLDER
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

SUMS = [(12 + 7 * i, 30 + 11 * i) for i in range(8)]
TASK = r"""
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: ROWS}}
output_type: generate_until
test_split: test
doc_to_text: "Question: {{question}}\nAnswer:"
doc_to_target: "{{answer}}"
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true, regexes_to_ignore: [",", "(?s).*#### "]}
generation_kwargs: {until: ["Question:"], do_sample: false}
filter_list:
  - name: strict-match
    filter: [{function: regex, regex_pattern: "#### (\\-?[0-9\\.\\,]+)"}, {function: take_first}]
  - name: flexible-extract
    filter: [{function: regex, group_select: -1, regex_pattern: "(-?[0-9]+)"}, {function: take_first}]
"""


@register_model("scripted")
class Scripted(LM):
    """A model that answers in four ways in turn: right and marked, right, wrong, and not at all."""

    @classmethod
    def create_from_arg_obj(cls, arg_dict, additional_config=None):
        return cls()

    create_from_arg_string = create_from_arg_obj

    def generate_until(self, requests, disable_tqdm=False):
        texts = []
        for i, request in enumerate(requests):
            right = sum(int(word) for word in str(request.args[0]).split() if word.isdigit())
            marked = f" We add.\n#### {right}"
            texts.append(
                [marked, f" The answer is {right}.", f" So\n#### {right + 1}", " I do not know."][i % 4]
            )
        return texts

    def loglikelihood(self, requests, disable_tqdm=False):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
        rows = [{"question": f"What is {a} plus {b} ?", "answer": f"so\n#### {a + b}"} for a, b in SUMS]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "sums.yaml").write_text(TASK.replace("ROWS", str(folder / "rows.jsonl")))
        command = (
            f"lm-eval run --model scripted --model_args pretrained=tiny --include_path {folder} --tasks sums"
        )
        sys.argv = [*command.split(), "--output_path", sys.argv[1], "--log_samples", "--batch_size", "1"]
        cli_evaluate()


if __name__ == "__main__":
    main()
