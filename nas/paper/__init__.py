"""The tables of the MobileNeXt paper as data, and a program that prints them beside ours.

`python -m nas.paper`; the experiment of each row is in experiments/imagenet/rows/.
"""
