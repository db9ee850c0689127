from fed_pretrain.reporting.charts.labels import Box, height, place_labels

PLOT = Box(0, 0, 300, 200)


def test_names_stay_inside_the_plot_and_apart():
    curves = [[(0, 100), (300, 20)], [(0, 110), (300, 60)], [(0, 180), (300, 170)]]
    names = ["random weights", "other digits", "ImageNet"]
    places = place_labels(names, curves, PLOT)
    boxes = [
        Box(x - len(n) * 3.3, y - 10, x + len(n) * 3.3, y + 3)
        for n, (x, y) in zip(names, places, strict=True)
    ]
    assert all(b.left >= -1 and b.right <= 301 and b.top >= 0 and b.bottom <= 200 for b in boxes)
    assert all(a.apart(b) > 0 for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_a_name_keeps_off_the_other_lines():
    curves = [[(0, 100), (300, 100)], [(0, 90), (150, 90), (300, 30)]]
    (x, y), _ = place_labels(["one", "two"], curves, PLOT)
    assert not y - 10 <= height(curves[1], x) <= y + 3


def test_between_two_points_a_curve_is_straight():
    assert height([(0, 0), (10, 20)], 5) == 10
    assert height([(0, 0), (10, 20)], 99) == 20
