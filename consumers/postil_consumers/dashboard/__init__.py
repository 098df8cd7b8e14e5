"""The live dashboard: an API over the history, a gap-free feed of events, and the page that shows both."""
