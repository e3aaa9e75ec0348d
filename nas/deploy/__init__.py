"""From a trained network to a phone: export, 8 bits, latency.

`python -m nas.deploy export|quantize|benchmark`; needs the extra `deploy`. A checkpoint or a name
becomes a file that holds the network and all that must be known to use it (`Metadata`); what
follows reads that file alone.
"""
