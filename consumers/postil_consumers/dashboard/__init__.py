"""The live dashboard: the API, a gap-free feed of events, and the page that shows both."""
