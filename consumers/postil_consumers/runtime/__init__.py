"""The runtime of consumers: source, sequencer, runner and sink."""
