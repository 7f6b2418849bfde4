"""The trace names every local by the place of its call, tells the truth, and leaves nothing behind."""

import sys

import numpy as np
import pytest

from common import params, random
from common.config import ClassifierConfig, GPTConfig
from common.trace import Trace
from numpy_ref.layers import linear
from numpy_ref.models import classifier, gpt

CONFIG = ClassifierConfig(d_model=8, n_heads=2, d_ffn=6)
WEIGHTS = params.init(random.key(0), CONFIG, np.float64)
TOKENS = np.array([[15, 17, 7, 5, 18], [12, 17, 3, 18, 0]])


@pytest.fixture(scope="module")
def trace():
    with Trace(WEIGHTS) as trace:
        logits_BC, saved = classifier.forward(WEIGHTS, tokens_BT=TOKENS, mask_BT=TOKENS != 0, config=CONFIG)
        classifier.backward(np.ones_like(logits_BC), saved)
    return trace


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("/classifier.forward/tokens_BT", (2, 5)),
        ("emb/embedding.forward/y_BTD", (2, 5, 8)),
        ("blocks.0/classifier.block_forward/m_BTD", (2, 5, 8)),
        ("blocks.1.attn/attend.forward/w_BNGTS", (2, 2, 1, 5, 5)),
        ("blocks.1.attn/softmax.forward/y", (2, 2, 1, 5, 5)),
        ("blocks.0.attn.q/linear.forward/w_IO", (8, 8)),
        ("blocks.0.norm2/layernorm.forward/n_BTD", (2, 5, 8)),
        ("blocks.0.ffn.up/linear.forward/y_RO", (10, 6)),
        ("head/linear.forward/y_RO", (2, 20)),
        ("/classifier.backward/dpooled_BD", (2, 8)),
        ("blocks.1/classifier.block_backward/dm_ffn_BTD", (2, 5, 8)),
        ("blocks.1.attn/attend.backward/dw_BNGTS", (2, 2, 1, 5, 5)),
        ("blocks.0.ffn/relu.backward/dx", (2, 5, 6)),
        ("blocks.0.attn.k/linear.backward/dw_IO", (8, 8)),
        ("emb/embedding.backward/dw_VD", (20, 8)),
    ],
)
def test_places(trace, name, shape):
    assert trace[name].shape == shape
    assert name in list(trace.names())


def test_every_call_has_the_place_of_its_weights(trace):
    calls = {call.name for call in trace.calls}
    assert len(calls) == len(trace.calls)
    for block in ("blocks.0", "blocks.1"):
        assert {name.removeprefix(f"{block}.attn.") for name in calls if name.startswith(f"{block}.attn.")} == {
            f"{part}/linear.{way}" for part in "qkvo" for way in ("forward", "backward")
        }


def test_blocks_have_the_same_calls(trace):
    """Also of functions that saved nothing, such as rope without a turn."""
    functions = [[call.function for call in trace.calls if call.place == f"blocks.{n}.attn"] for n in (0, 1)]
    assert functions[0] == functions[1]
    assert "rope.backward#2" in functions[0]


def test_a_function_that_saved_a_constant_is_in_its_own_block():
    """Dropout at rest: its 1.0 is one object in all blocks."""
    config = GPTConfig(vocab=20, d_model=8, n_blocks=2, n_heads=2, d_ffn=6, max_len=5)
    w = params.init(random.key(0), config, np.float64)
    with Trace(w) as trace:
        logits_BTV, saved = gpt.forward(w, tokens_BT=TOKENS, config=config)
        gpt.backward(np.ones_like(logits_BTV), saved)
    calls = [call.name for call in trace.calls if call.function.startswith("dropout.backward")]
    assert calls == [
        "blocks.1/dropout.backward",
        "blocks.1/dropout.backward#2",
        "blocks.0/dropout.backward",
        "blocks.0/dropout.backward#2",
        "/dropout.backward",
    ]


def test_values_are_those_of_the_run(trace):
    calls = {call.name: call for call in trace.calls}
    logits_BC, saved = calls["/classifier.forward"].result
    again_BC, _ = classifier.forward(WEIGHTS, tokens_BT=TOKENS, mask_BT=TOKENS != 0, config=CONFIG)
    assert np.array_equal(logits_BC, again_BC)
    found = calls["blocks.1.attn.q/linear.backward"].result[0]["w"]
    assert np.array_equal(found, classifier.backward(np.ones_like(logits_BC), saved)["blocks"][1]["attn"]["q"]["w"])
    assert np.array_equal(trace["blocks.1.attn/attend.forward/w_BNGTS"], trace["blocks.1.attn/softmax.forward/y"])


def test_calls_come_in_the_order_of_returning_with_their_depth(trace):
    names = [call.name for call in trace.calls]
    depths = {call.name: call.depth for call in trace.calls}
    assert names.index("blocks.0.attn/softmax.forward") < names.index("blocks.0.attn/attend.forward")
    assert names.index("blocks.1.attn/attend.backward") < names.index("blocks.0.attn/attend.backward")
    assert depths["/classifier.forward"] == depths["/classifier.backward"] == 0
    assert depths["blocks.0.attn/softmax.forward"] == depths["blocks.0.attn/attend.forward"] + 1
    assert trace.calls[0].file.endswith("embedding.py")
    assert trace.calls[0].line > 1


def test_the_second_call_in_one_place_is_numbered():
    x = np.arange(6.0).reshape(2, 3)
    layer = {"w": np.ones((3, 4))}
    with Trace({"one": layer}) as trace:
        for number in range(3):
            linear.forward(layer, x + number)
    assert [call.name for call in trace.calls] == [f"one/linear.forward{mark}" for mark in ("", "#2", "#3")]
    assert np.array_equal(trace["one/linear.forward/x"], x)
    assert np.array_equal(trace["one/linear.forward#2/x"], x + 1)


def test_backward_finds_the_forward_that_made_its_saved():
    layers = {"first": {"w": np.ones((3, 4))}, "second": {"w": np.ones((3, 4))}}
    with Trace(layers) as trace:
        _, saved_first = linear.forward(layers["first"], np.ones((2, 3)))
        _, saved_second = linear.forward(layers["second"], np.ones((2, 3)))
        linear.backward(np.ones((2, 4)), saved_first)
        linear.backward(np.ones((2, 4)), saved_second)
    assert [call.place for call in trace.calls] == ["first", "second", "first", "second"]


def test_a_name_that_is_not_there_is_a_key_error(trace):
    for name in ("blocks.9/classifier.block_forward/m_BTD", "emb/embedding.forward/nothing", "nothing"):
        with pytest.raises(KeyError):
            trace[name]


def test_only_the_package_is_seen_and_only_inside():
    layer = {"w": np.ones((3, 4))}
    linear.forward(layer, np.ones((2, 3)))
    with Trace(layer) as trace:
        params.shapes(CONFIG)
        linear.forward(layer, np.ones((2, 3)))
    linear.forward(layer, np.ones((2, 3)))
    assert [call.name for call in trace.calls] == ["/linear.forward"]


@pytest.fixture
def no_profiler():
    """Coverage tools and debuggers may have set one: put it back."""
    before = sys.getprofile()
    sys.setprofile(None)
    yield
    sys.setprofile(before)


@pytest.mark.usefixtures("no_profiler")
def test_nested_traces_give_the_profiler_back():
    layer = {"w": np.ones((3, 4))}
    with Trace({"outer": layer}) as outer:
        held = sys.getprofile()
        with Trace({"inner": layer}) as inner:
            linear.forward(layer, np.ones((2, 3)))
        assert sys.getprofile() == held
        linear.forward(layer, np.ones((2, 3)))
    assert sys.getprofile() is None
    assert [call.place for call in inner.calls] == ["inner"]
    assert [call.place for call in outer.calls] == ["outer"]


@pytest.mark.usefixtures("no_profiler")
def test_an_exception_leaves_no_profiler_behind():
    layer = {"w": np.ones((3, 4))}
    with pytest.raises(ValueError, match="matmul"), Trace(layer) as trace:
        linear.forward(layer, np.ones((2, 5)))
    assert sys.getprofile() is None
    assert [call.result for call in trace.calls] == [None]
    with Trace(layer) as after:
        linear.forward(layer, np.ones((2, 3)))
    assert [call.depth for call in after.calls] == [0]
