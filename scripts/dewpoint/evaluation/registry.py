"""The metrics that a study may ask for."""

LATENCY = "latency"  # latency@10: milliseconds until a batch of 10 queries is answered
BATCHES = {1: 300, 10: 100, 2000: 5}  # queries at once: how often latency is measured
QUALITY = ("MRR", "R", "nDCG", "Hit", "Success", "P")  # each with a cutoff
METRICS = (*QUALITY, LATENCY)
RPREC = "Rprec"  # precision at as many passages as are relevant
HIT = "Hit"  # by answers that a passage contains; all others go by judgements


def is_latency(metric: str) -> bool:
    """All other metrics are of quality: each query has a value."""
    return metric.startswith(f"{LATENCY}@")
