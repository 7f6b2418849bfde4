"""What transformers makes of chat templates, frozen in tests/golden/chats.json so that any machine can test without it.

python tests/oracle/chats.py            write the file
python tests/oracle/chats.py --check    make it again and compare, write nothing
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before the import
sys.path.insert(0, str(Path(__file__).parents[1]))

import tokenizers
import transformers

from test_chat_template import CHATS, TEMPLATES, TOKENS

GOLDEN = Path(__file__).parents[1] / "golden" / "chats.json"


def made() -> dict[str, dict[str, list[str]]]:
    """The text of every conversation in every template, as a finished one and with an answer opened."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    witness = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **TOKENS)
    return {
        name: {
            which: [
                witness.apply_chat_template(chat, chat_template=source, tokenize=False, add_generation_prompt=opened)
                for opened in (False, True)
            ]
            for which, chat in CHATS.items()
        }
        for name, source in TEMPLATES.items()
    }


if __name__ == "__main__":
    if "--check" in sys.argv:
        same = json.loads(GOLDEN.read_text()) == made()
        print("the same" if same else "transformers now writes chats otherwise")
        sys.exit(not same)
    GOLDEN.write_text(json.dumps(made(), indent=1, ensure_ascii=False) + "\n")
