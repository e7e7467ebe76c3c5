"""Claims about speed, one script each: ours and the peer interleaved in one run, medians, ratio and spread."""
