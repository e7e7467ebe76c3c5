"""Check a learner's files: run what an answer needs in a separate process, with limits, and judge each answer."""
