"""Names of weights from the paths that Keras gave them."""

from fed_pretrain.starts import weight_names


def test_a_nested_layer_is_known_by_its_name_or_by_the_number_it_was_made_under():
    wanted = ["net/dense/kernel", "net/head/kernel", "net/bias"]
    for made in ("net", "net_4"):
        paths = [f"{made}/dense_5/kernel:0", f"{made}/head/kernel:0", f"{made}/head/bias:0"]
        assert weight_names.canonical("net", paths) == wanted
