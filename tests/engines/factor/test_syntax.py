"""The parser reads what is written, writes what it read, and refuses the rest with a position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.factor.syntax import Call, ExpressionError, Limits, Name, Number, Tree, parse, to_text

names = st.sampled_from(["close", "volume", "x1", "_y"]).map(Name)
numbers = st.floats(0, 1e9, allow_nan=False).map(lambda value: Number(round(value, 6)))


def calls(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Any operator over any operands."""
    infix = ["add", "sub", "mul", "div", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "pow"]
    return st.one_of(
        st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(infix), children, children),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["not", "abs"]), children),
        st.builds(lambda a: a if isinstance(a, Number) else Call("neg", (a,)), children),
        st.builds(lambda a, b, c: Call("where", (a, b, c)), children, children, children),
        st.builds(lambda a: Call("f", tuple(a)), st.lists(children, max_size=3)),
    )


trees = st.recursive(st.one_of(names, numbers), calls, max_leaves=12)


def without_positions(tree: Tree) -> Tree:
    match tree:
        case Number(value):
            return Number(value)
        case Name(text):
            return Name(text)
        case Call(function, arguments):
            return Call(function, tuple(without_positions(argument) for argument in arguments))


@given(trees)
def test_what_is_written_reads_back_as_the_same_tree(tree: Tree) -> None:
    assert without_positions(parse(to_text(tree))) == tree


@pytest.mark.parametrize(
    ("text", "bracketed"),
    [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a / b * c", "(a / b) * c"),
        ("-a^2", "-(a^2)"),
        ("a^b^c", "a^(b^c)"),
        ("2^-a", "2^(-a)"),
        ("a + b < c * d", "(a + b) < (c * d)"),
        ("a < b && c || d", "((a < b) && c) || d"),
        ("a ? b : c ? d : e", "a ? b : (c ? d : e)"),
        ("a < b ? c + 1 : d", "(a < b) ? (c + 1) : d"),
        ("!a == b", "(!a) == b"),
        (".5 + 1.e3", "0.5 + 1000"),
        (" close\n*\topen ", "close * open"),
    ],
)
def test_precedence(text: str, bracketed: str) -> None:
    assert without_positions(parse(text)) == without_positions(parse(bracketed))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0), ("(", 1), ("a b", 2), ("a +", 3), ("1..2", 2), ("f(a,", 4), ("x $ y", 1), ("a ? b", 5), ("(a", 2),
        ("é", 0), ("__import__('os')", 11), ("close.real", 5), ("a = b", 1), ("[a]", 0), ("lambda: 1", 6), ("1e999", 0),
    ],
)  # fmt: skip
def test_what_is_not_a_formula_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 3000 + "x", "+".join("a" * 1500), "a^" * 900 + "a", "x" * 5000])
def test_size_and_depth_are_bounded(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_limits_can_be_set() -> None:
    assert parse("a + b + c", Limits(depth=3, nodes=5))
    with pytest.raises(ExpressionError, match="nested deeper than 2"):
        parse("a + b + c", Limits(depth=2))
    with pytest.raises(ExpressionError, match="more than 4 nodes"):
        parse("a + b + c", Limits(nodes=4))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    error = None
    try:
        parse(text)
    except ExpressionError as caught:
        error = caught
    assert error is None or 0 <= error.position <= len(text)
