"""The bars of latencies, with names of any length."""

from nas.deploy.latency import Latency, Row, latency_chart
from nas.png import png_bytes

LONG = "runs/" + "a_name_of_a_network_that_is_long," * 8 + "num_classes=10"


def test_long_names_leave_room_for_the_bars():
    """They are wrapped; matplotlib would warn where no room is left, which is an error here."""
    latency = Latency(num_calls=5, median_ms=0.416, p95_ms=0.6, min_ms=0.3)
    rows = [Row(name, "onnx_fp32", 1, 64, latency, 100.0, None) for name in (LONG, "short")]
    figure = latency_chart(rows)
    assert png_bytes(figure).startswith(b"\x89PNG")
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert "".join(names[0].split()) == LONG
    assert names[1] == "short"
    assert axes.get_position().width > 0.3
    assert [text.get_text() for text in axes.texts] == ["0.416", "0.416"]
