"""From a trained network to a phone: export, 8 bits, latency.

`nas export`, `nas quantize`, `nas benchmark`; needs the extra `deploy`. A checkpoint or a name
becomes a file with the network and everything needed to use it (`Metadata`); later steps read
that file alone.
"""
