"""Tables 2 to 11 of the MobileNeXt paper as they are printed (no torch).

After `||` comes what this project has for a row: a network by name, with its settings, or a search
space. References and bold type are left out; a dagger marks the networks with
squeeze-and-excitation, as in the paper. All else is as printed, digit by digit, misprints included.

Source: MobileNeXt (arXiv:2007.02269), Tables 2 to 11.
"""

TITLES = {
    2: "Architecture of MobileNeXt",
    3: "MobileNeXt and MobileNetV2 at five widths, ImageNet",
    4: "8-bit quantization after training, ImageNet",
    5: "A second depthwise convolution in MobileNetV2, ImageNet",
    6: "Other mobile networks, and squeeze-and-excitation, ImageNet",
    7: "Identity tensor multiplier, ImageNet, latency on a Pixel 4XL",
    8: "Object detection, Pascal VOC 2007",
    9: "Cells searched with DARTS, CIFAR-10",
    10: "Position of the depthwise convolutions (Fig. 4), ImageNet",
    11: "Cells searched with DARTS, CIFAR-10 (Table 9, printed again)",
}

PRINTED = {
    2: """
No. | t | Output dimension | s | b | Input dimension | Operator
1 | - | 112 x 112 x 32 | 2 | 1 | 224 x 224 x 3 | conv2d 3x3 || mobilenext_paper_1.0
2 | 2 | 56 x 56 x 96 | 2 | 1 | 112 x 112 x 32 | sandglass block || mobilenext_paper_1.0
3 | 6 | 56 x 56 x 144 | 1 | 1 | 56 x 56 x 96 | sandglass block || mobilenext_paper_1.0
4 | 6 | 28 x 28 x 192 | 2 | 3 | 56 x 56 x 144 | sandglass block || mobilenext_paper_1.0
5 | 6 | 14 x 14 x 288 | 2 | 3 | 28 x 28 x 192 | sandglass block || mobilenext_paper_1.0
6 | 6 | 14 x 14 x 384 | 1 | 4 | 14 x 14 x 288 | sandglass block || mobilenext_paper_1.0
7 | 6 | 7 x 7 x 576 | 2 | 4 | 14 x 14 x 384 | sandglass block || mobilenext_paper_1.0
8 | 6 | 7 x 7 x 960 | 1 | 2 | 7 x 7 x 576 | sandglass block || mobilenext_paper_1.0
9 | 6 | 7 x 7 x 1280 | 1 | 1 | 7 x 7 x 960 | sandglass block || mobilenext_paper_1.0
10 | - | 1 x 1 x 1280 | - | 1 | 7 x 7 x 1280 | avgpool 7x7 || mobilenext_paper_1.0
11 | - | k | - | 1 | 1 x 1 x 1280 | conv2d 1x1 || mobilenext_paper_1.0
""",
    3: """
No. | Models | Param. (M) | MAdd (M) | Top-1 Acc. (%)
1 | MobileNetV2-1.40 | 6.9 | 690 | 74.9 || mobilenet_v2_1.4
2 | MobileNetV2-1.00 | 3.5 | 300 | 72.3 || mobilenet_v2_1.0
3 | MobileNetV2-0.75 | 2.6 | 150 | 69.9 || mobilenet_v2_0.75
4 | MobileNetV2-0.50 | 2.0 | 97 | 65.4 || mobilenet_v2_0.5
5 | MobileNetV2-0.35 | 1.7 | 59 | 60.3 || mobilenet_v2_0.35
6 | MobileNeXt-1.40 | 6.1 | 590 | 76.1 || mobilenext_1.4
7 | MobileNeXt-1.00 | 3.4 | 300 | 74.0 || mobilenext_1.0
8 | MobileNeXt-0.75 | 2.5 | 210 | 72.0 || mobilenext_0.75
9 | MobileNeXt-0.50 | 2.1 | 110 | 67.7 || mobilenext_0.5
10 | MobileNeXt-0.35 | 1.8 | 80 | 64.7 || mobilenext_0.35
""",
    4: """
Model | Precision (W/A) | Method | Top-1 Acc. (%) | Gain
MobileNetV2 | INT8/INT8 | Post Training Quant. | 65.07 | || mobilenet_v2_1.0
MobileNeXt | INT8/INT8 | Post Training Quant. | 68.62 | +3.55 || mobilenext_1.0
MobileNetV2 | FP32/FP32 | - | 72.25 | || mobilenet_v2_1.0
MobileNeXt | FP32/FP32 | - | 74.02 | +1.77 || mobilenext_1.0
""",
    5: """
Method | #Dwise convs | Param. (M) | M-Adds (M) | Top-1 Acc. (%)
MobileNetV2 | 2 (middle) | 3.6 | 340 | 73.02 || mobilenet_v2_two_dw_1.0
MobileNeXt | 2 (top, bottom) | 3.5 | 300 | 74.02 || mobilenext_1.0
""",
    6: """
Models | Param. (M) | MAdd (M) | Top-1 Acc. (%)
MobilenetV1-1.0 | 4.2 | 575 | 70.6
ShuffleNetV2-1.5 | 3.5 | 299 | 72.6
MobilenetV2-1.0 | 3.5 | 300 | 72.3 || mobilenet_v2_1.0
MnasNet-A1 | 3.9 | 312 | 75.2
MobilenetV3-L-0.75 | 4.0 | 155 | 73.3
ProxylessNAS | 4.1 | 320 | 74.6
FBNet-B | 4.5 | 295 | 74.1
IGCV3-D | 7.2 | 610 | 74.6
GhostNet-1.3 | 7.3 | 226 | 75.7
EfficientNet-b0 | 5.3 | 390 | 76.3
MobileNeXt-1.0 | 3.4 | 300 | 74.02 || mobilenext_1.0
MobileNeXt-1.0 † | 3.94 | 330 | 76.05 || mobilenext_se_1.0
MobileNeXt-1.1 † | 4.28 | 420 | 76.7 || mobilenext_se_1.1
""",
    7: """
No. | Models | Tensor multiplier | Param. (M) | Top-1 Acc. (%) | Latency (ms)
1 | MobileNeXt | 1.0 | 3.4 | 74.02 | 211 || mobilenext_1.0
2 | MobileNeXt | 1/2 | 3.4 | 74.09 | 196 || mobilenext_1.0,identity_ratio=1/2
3 | MobileNeXt | 1/3 | 3.4 | 73.91 | 195 || mobilenext_1.0,identity_ratio=1/3
4 | MobileNeXt | 1/6 | 3.4 | 73.68 | 188 || mobilenext_1.0,identity_ratio=1/6
""",
    8: """
No. | Method | Backbone | Param. (M) | M-Adds (B) | mAP (%)
1 | SSD300 | VGG | 36.1 | 35.2 | 77.2
2 | SSDLite320 | MobileNetV2 | 4.3 | 0.8 | 71.7 || ssdlite320_mobilenet_v2
3 | SSDLite320 | MobileNeXt | 4.3 | 0.8 | 72.6 || ssdlite320_mobilenext
""",
    9: """
No. | Search Space | Test Error (%) | Param. (M) | Search Method | #Operators
1 | DARTS original | 3.11 | 3.25 | gradient based | 7 || darts
2 | DARTS + IR Block | 3.26 | 3.29 | gradient based | 8 || darts+ir
3 | DARTS + sandglass block | 2.98 | 2.45 | gradient based | 8 || darts+sandglass
""",
    10: """
Block structure | #Dwise convs | Param. (M) | M-Adds (M) | Top-1 Acc. (%)
MobileNetV2 | 1 | 3.5 | 300 | 72.3 || mobilenet_v2_1.0
Figure 4(a) | 1 | 3.4 | 240 | 68.90 || mobilenext_fig4a_1.0
Figure 4(b) | 2 | 3.4 | 250 | 70.11 || mobilenext_fig4b_1.0
Figure 4(c) | 2 | 3.5 | 300 | 69.26 || mobilenet_v2_fig4c_1.0
Figure 4(d) | 2 | 3.5 | 300 | 74.02 || mobilenext_1.0
""",
    11: """
No. | Search Space | Test Error (%) | Param. (M) | Search Method | #Operators
1 | DARTS original | 3.11 | 3.25 | gradient based | 7 || darts
2 | DARTS + IR Block | 3.26 | 3.29 | gradient based | 7 || darts+ir
3 | DARTS + sandglass block | 2.98 | 2.45 | gradient based | 7 || darts+sandglass
""",
}
