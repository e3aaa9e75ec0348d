"""A detector on two ranks: every image is measured once, and all ranks have the same result."""

import pytest
import torch

from nas.config import DetectConfig
from nas.data.voc import load_voc
from nas.detect.data import test_loader as make_loader
from nas.detect.measure import detect, measure
from nas.distributed.launch import Share
from nas.distributed.ranks import ALONE
from nas.models.detection import build_detector
from nas.runtime.compute import Compute
from tests.distributed.ranks import run_ranks
from tests.unit.detect.voc_folder import annotation, write_voc

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def test_detections_of_two_ranks(tmp_path):
    """Three images, so that one rank has an empty share of the last batch."""
    cat = annotation(("cat", (1, 1, 32, 24)))
    folder = write_voc(tmp_path / "voc", {"a": cat, "b": cat, "c": cat}, test="a\nb\nc")
    images = load_voc([folder], "test")
    config = DetectConfig(data=(str(folder),), workers=0, eval_batch_size=2)
    compute = Compute(torch.device("cpu"))
    torch.manual_seed(0)
    net = build_detector("ssdlite320_mobilenext_0.1", 1)
    net.head.classification[0][3].bias.data[1::2] = 2  # so that something is detected

    def measured(ranks):
        loader = make_loader(images, config, compute, Share(ranks.rank, ranks.size))
        found = detect(net, loader, compute=compute, ranks=ranks)
        return [tuple(item) for item in found], measure(images, found).to_json()

    alone, result = measured(ALONE)
    assert len(alone) == 3 and all(len(boxes) for boxes, *_ in alone)
    torch.set_num_threads(1)
    for found, same in run_ranks(2, measured, tmp_path):
        assert same == result
        for ours, expected in zip(found, alone, strict=True):
            torch.testing.assert_close(ours, expected)
